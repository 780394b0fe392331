// A guest whose traffic is measured: our network, and beside it, in the same machine, QEMU's own user network.
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ensureGo } from "../../scripts/find-go.mjs";
import { resultsDir } from "../build-subject.mjs";
import {
  boot,
  createEngine,
  defaultSupervisors,
  makeCertificate,
  nothingAttached,
  pemOf,
  readHostTree,
  withOp,
} from "../product.mjs";
import { runProgram } from "../tools.mjs";

const size = { cpus: 2, memoryMib: 1024 };
const GiB = 1024 ** 3;
const program = "/usr/local/bin/netload";

/** Name of the server without TLS, of the one whose TLS is passed on, and of the one whose credentials are swapped. */
export const names = { plain: "plain.test", splice: "splice.test", swap: "swap.test" };

/** The server and everything that guests need to reach it. */
export async function openWorld() {
  const folder = await mkdtemp(join(resultsDir, "net-"));
  const go = await ensureGo();
  await runProgram(go.program, ["build", "-trimpath", "-o", join(folder, "netload"), "."], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    env: { ...go.env, CGO_ENABLED: "0" },
  });
  const rootFile = join(folder, "root.pem");
  const pairFile = join(folder, "pair.json");
  await writeCertificates(rootFile, pairFile);
  const swapFile = join(folder, "swaps.yaml");
  await writeFile(
    swapFile,
    `swaps: {bench: {type: static, domains: [${names.swap}], key_ref: "env:MICROAGENT_BENCH_KEY"}}\n`,
  );
  process.env.MICROAGENT_BENCH_KEY = "sk-benchmark-0123456789";
  const server = spawn(
    process.execPath,
    [fileURLToPath(new URL("./server.mjs", import.meta.url)), pairFile],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const ports = JSON.parse((await lines.next()).value);
  return {
    folder,
    rootFile,
    swapFile,
    ports,
    /** How many connections the server has open. */
    async open() {
      server.stdin.write("\n");
      return Number((await lines.next()).value);
    },
    async close() {
      server.stdin.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function writeCertificates(rootFile, pairFile) {
  const root = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const leaf = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { commonName: "benchmark root", ...root };
  const notBefore = Date.now() - 86_400_000;
  const life = { notBefore, notAfter: notBefore + 30 * 86_400_000 };
  const served = Object.values(names);
  const authority = makeCertificate({
    ...{ commonName: issuer.commonName, publicKey: root.publicKey, issuer, ...life },
    use: { kind: "authority", permittedNames: served },
  });
  const certificate = makeCertificate({
    ...{ commonName: "benchmark", publicKey: leaf.publicKey, issuer, ...life },
    use: { kind: "server", names: served },
  });
  await writeFile(rootFile, pemOf(authority));
  const key = leaf.privateKey.export({ type: "pkcs8", format: "pem" });
  await writeFile(pairFile, JSON.stringify({ key, cert: pemOf(certificate) }));
}

/** Boots a guest under an egress mode; `load` runs the traffic program in it. */
export async function startGuest(bench, world, mode) {
  const engine = createEngine(bench.layout, defaultSupervisors().map(withUserNetwork));
  const request = {
    name: `bench-net-${mode}-${process.pid}`,
    image: bench.image,
    pull: "never",
    insecureRegistries: [],
    kernel: await bench.kernelName(),
    arch: undefined,
    accel: "auto",
    ...size,
    sizeMib: 2048,
    hostname: "bench",
    attach: { ...nothingAttached, network: networkOf(world, mode) },
    bounds: { pullMs: 60_000, bootMs: 60_000 },
  };
  const workspace = await withOp("bench", (op) => boot(op, engine, request));
  const run = async (argv) =>
    await withOp("bench", async (op) => {
      const result = await workspace.agent.run(op, {
        ...{ argv, env: ["PATH=/bin:/usr/bin"], cwd: "/", user: "0:0", stdin: false },
        ...{ tty: null, timeoutMs: null },
      });
      if (result.exitCode === 0) return result.stdout.toString();
      throw new Error(`"${argv.join(" ")}" failed: ${result.stderr}`);
    });
  const load = async (...words) => JSON.parse(await run([program, ...words.map(String)]));
  await withOp("bench", (op) =>
    workspace.put(op, program, readHostTree(op, join(world.folder, "netload"))),
  );
  await load("address", "eth0", "10.9.0.15", "255.255.255.0");
  const at = {};
  for (const [which, name] of Object.entries(names)) {
    at[which] = (await load("resolve", name)).addresses.find((address) => !address.includes(":"));
  }
  return {
    workspace,
    run,
    load,
    /** Where the server is by our network. */
    ours: `${at.plain}:7000`,
    splice: `${at.splice}:443`,
    swap: `${at.swap}:443`,
    /** Where it is by QEMU's. */
    slirp: `10.9.0.2:${world.ports.plain}`,
    /** Memory of the agent in KiB. */
    async agentMemory() {
      return Number(/VmRSS:\s+(\d+)/.exec(await run(["/bin/cat", "/proc/1/status"]))?.[1]);
    },
    close: () => workspace.close(),
  };
}

function networkOf({ ports, swapFile, rootFile }, mode) {
  const host = (port) => ({ address: "127.0.0.1", port });
  return {
    mode: "user",
    guest: {
      interface: "uplink0",
      mtu: 65_520,
      ipv4: { address: "10.0.2.15/24", gateway: "10.0.2.2" },
      ipv6: { address: "fd6d:6167:656e:7400::15/64", gateway: "fd6d:6167:656e:7400::2" },
      dns: ["10.0.2.3"],
    },
    policy: {
      mode,
      allow: [],
      passthrough: [],
      // A connection holds its place until both sides have closed it: those that come while others go need more room.
      caps: { bytesPerSecond: null, totalBytes: 4096 * GiB, connections: 512 },
      hostMap: new Map([
        [names.plain, host(ports.plain)],
        [names.splice, host(ports.secure)],
        [names.swap, host(ports.secure)],
      ]),
      resolvers: null,
    },
    forwards: [],
    swap:
      mode === "off"
        ? { providers: [], configFile: null, caFiles: [] }
        : {
            providers: [],
            configFile: swapFile,
            caFiles: [rootFile],
          },
  };
}

/** The same machine with one more device: a network card on QEMU's user network. */
function withUserNetwork(supervisor) {
  return {
    name: supervisor.name,
    probe: (op, request) => supervisor.probe(op, request),
    start: (op, plan) => supervisor.start(op, plan),
    plan(request, host) {
      const plan = supervisor.plan(request, host);
      const card = ["-netdev", "user,id=slirp,net=10.9.0.0/24,host=10.9.0.2,ipv6=off"];
      const device = ["-device", "virtio-net-device,netdev=slirp,bus=virtio-mmio-bus.2"];
      return { ...plan, args: [...plan.args, ...card, ...device] };
    },
  };
}
