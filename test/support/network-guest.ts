import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Agent } from "../../src/agent/agent.ts";
import type { GuestCalls } from "../../src/agent/guest-calls.ts";
import type { GuestNetwork } from "../../src/agent/guest-network.ts";
import { randomHex } from "../../src/base/ids.ts";
import { type Op, withOp } from "../../src/base/op.ts";
import type { Machine } from "../../src/supervisor/port.ts";
import { openWorkbench, type Workbench } from "../fixtures/workbench.ts";

/** What the guests of the network tests are given. */
const guestNetwork: GuestNetwork = {
  interface: "eth0",
  mtu: 65_520,
  ipv4: { address: "10.0.2.15/24", gateway: "10.0.2.2" },
  ipv6: { address: "fd6d:6167:656e:7400::15/64", gateway: "fd6d:6167:656e:7400::2" },
  dns: ["10.0.2.3"],
};

/** A real machine with a network, in a workbench of its own. */
export interface NetworkGuest extends AsyncDisposable {
  /** Runs a shell script as root and gives what it wrote; fails unless it exits with 0. */
  shell(script: string): Promise<string>;
}

const stepMs = 120_000;

/** Boots a machine whose calls the test answers itself. */
export async function openNetworkGuest(calls: GuestCalls): Promise<NetworkGuest> {
  const bench = await openWorkbench();
  const booting = withOp("network guest", { timeoutMs: stepMs }, (op) => boot(op, bench, calls));
  const { machine, agent } = await booting.catch(async (error: unknown) => {
    await bench[Symbol.asyncDispose]();
    throw error;
  });
  return {
    async shell(script) {
      const result = await withOp("network test", { timeoutMs: stepMs }, (op) =>
        agent.run(op, {
          argv: ["/bin/sh", "-ec", script],
          env: ["PATH=/bin", "HOME=/root"],
          cwd: "/",
          user: "root",
          stdin: false,
          tty: null,
          timeoutMs: null,
        }),
      );
      const stdout = result.stdout.toString();
      if (result.exitCode !== 0) {
        throw new Error(`${script}: ${JSON.stringify(result)} ${stdout} ${result.stderr}`);
      }
      return stdout;
    },
    async [Symbol.asyncDispose]() {
      await machine.kill("the test is over");
      await bench[Symbol.asyncDispose]();
    },
  };
}

async function boot(
  op: Op,
  bench: Workbench,
  calls: GuestCalls,
): Promise<{ readonly machine: Machine; readonly agent: Agent }> {
  const { engine, image } = bench;
  const stored = await engine.images.resolve(op, {
    image,
    pull: "missing",
    insecureRegistries: [],
    arch: undefined,
  });
  const base = await engine.images.base(op, stored);
  const kernel = await engine.kernels.resolve(op, undefined, undefined);
  const initramfsPath = await engine.kernels.initramfs(op, kernel);
  const choice = await engine.supervisors.select(op, { accel: "auto", kernel, initramfsPath });
  const plan = choice.supervisor.plan(
    {
      name: `network-${randomHex(4)}`,
      memoryMib: 256,
      cpus: 2,
      kernel: kernel.image,
      initramfsPath,
      disks: [{ id: "base", path: base.path, readOnly: true, durability: "disposable" }],
      cmdline: [],
      consolePath: join(bench.dir, "console.log"),
      saveable: false,
    },
    choice.host,
  );
  const machine = await choice.supervisor.start(op, plan);
  const agent = await Agent.connect(op, machine.link, { calls });
  await agent.configure(op, {
    timeUnixMs: op.clock.now(),
    entropy: randomBytes(64),
    hostname: "guest",
    hosts: [],
    root: {
      base: { device: "/dev/disk/by-id/virtio-base", fstype: base.format },
      upper: { tmpfsBytes: 32 * 1024 * 1024 },
    },
    mounts: [],
    pidsMax: 1024,
    memoryReserveBytes: 32 * 1024 * 1024,
    network: guestNetwork,
    services: null,
  });
  return { machine, agent };
}
