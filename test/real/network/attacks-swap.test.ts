import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { randomHex } from "../../../src/base/ids.ts";
import { realClock, withOp } from "../../../src/base/op.ts";
import { WorkspaceAuthority } from "../../../src/egress/tls/authority.ts";
import { snapshotWorkspace } from "../../../src/workspace/templates/snapshots.ts";
import { echoForms, oddAnswer } from "../../fixtures/swap-echoes.ts";
import { startVault, type VaultStandIn } from "../../fixtures/vault-stand-in.ts";
import { machinesOf } from "../../fixtures/workbench.ts";
import {
  type AttackBench,
  type AttackedGuest,
  openAttackBench,
} from "../../support/attacked-guest.ts";

const keys = {
  ATTACKS_ALPHA_KEY: `sk-alpha-${randomHex(16)}`,
  ATTACKS_BETA_KEY: `sk-beta-${randomHex(16)}`,
};
const vaultKey = `sk-vault-${randomHex(16)}`;
const all = [...Object.values(keys), vaultKey];
/** What programs in the guest are given in a key's place. */
const placeholder = "microagent-placeholder-key";

const alpha = "api.anthropic.com";
const beta = "beta.example.test";
const wrong = "wrong.example.test";
const vaulted = "vaulted.example.test";

/** A server of the world beyond, and every byte it was sent. */
interface Heard extends AsyncDisposable {
  readonly port: number;
  text: string;
}

let upstream: Record<string, Heard>;
let vault: VaultStandIn;
let attacks: AttackBench;
let guest: AttackedGuest;

/** Answers each request head it sees; what is asked of /echo comes back with everything it came with. */
async function startUpstream(name: string, authority: WorkspaceAuthority): Promise<Heard> {
  const sockets = new Set<TLSSocket>();
  const server = createServer(
    {
      ALPNProtocols: ["http/1.1"],
      SNICallback: (_, done) => done(null, authority.contextFor(name)),
    },
    (socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("data", (bytes: Buffer) => {
        const said = bytes.toString("latin1");
        heard.text += said;
        const key = /x-api-key: (\S+)/i.exec(said)?.[1] ?? "none";
        const odd = oddAnswer(said, key);
        if (odd !== null)
          return void (odd.isLast ? socket.end(odd.bytes) : socket.write(odd.bytes));
        const body = said.includes("GET /echo") ? said : "fine";
        const lines = [`Content-Length: ${body.length}`, `X-Seen: ${key}`, "Connection: close"];
        socket.end(`HTTP/1.1 200 OK\r\n${lines.join("\r\n")}\r\n\r\n${body}`);
      });
    },
  );
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const heard: Heard = {
    port: (server.address() as AddressInfo).port,
    text: "",
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  return heard;
}

beforeAll(async () => {
  attacks = await openAttackBench();
  const { dir } = attacks.bench;
  const world = new WorkspaceAuthority([alpha, "example.test"], realClock);
  const impostor = new WorkspaceAuthority([wrong], realClock);
  upstream = {
    [alpha]: await startUpstream(alpha, world),
    [beta]: await startUpstream(beta, world),
    [wrong]: await startUpstream(wrong, impostor),
    [vaulted]: await startUpstream(vaulted, world),
  };
  vault = await startVault({ token: "t", secrets: { "secret/data/app": { key: vaultKey } } });
  Object.assign(process.env, keys, { VAULT_ADDR: vault.address, VAULT_TOKEN: "t" });
  const roots = join(dir, "world.pem");
  await writeFile(roots, world.certificatePem);
  const swaps = join(dir, "swaps.yaml");
  await writeFile(
    swaps,
    `swaps:
  beta: {type: static, domains: [${beta}], header: x-api-key, key_ref: "env:ATTACKS_BETA_KEY"}
  wrong: {type: static, domains: [${wrong}], header: x-api-key, key_ref: "env:ATTACKS_BETA_KEY"}
  vaulted: {type: static, domains: [${vaulted}], header: x-api-key, key_ref: "vault:secret/data/app#key"}
`,
  );
  guest = await attacks.boot(
    {
      credSwap: ["anthropic=env:ATTACKS_ALPHA_KEY"],
      egressSwapConfig: swaps,
      egressCa: [roots],
      egressHost: Object.entries(upstream).map(([name, { port }]) => `${name}=127.0.0.1:${port}`),
    },
    { spec: "agent: {egress: strict}" },
  );
});
afterEach(async () => {
  await guest.isAlive();
  // No server was ever sent a key that is another's.
  expect(upstream[alpha]?.text).not.toContain(keys.ATTACKS_BETA_KEY);
  expect(upstream[beta]?.text).not.toContain(keys.ATTACKS_ALPHA_KEY);
  expect(upstream[wrong]?.text).toBe("");
});
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  for (const server of Object.values(upstream ?? {})) await server[Symbol.asyncDispose]();
  await vault?.[Symbol.asyncDispose]();
  await attacks?.[Symbol.asyncDispose]();
  for (const name of [...Object.keys(keys), "VAULT_ADDR", "VAULT_TOKEN"]) delete process.env[name];
});

const addresses = new Map<string, string>();
async function addressOf(name: string): Promise<string> {
  const known = addresses.get(name);
  if (known !== undefined) return known;
  const said = await guest.attack("dns", "udp", "10.0.2.3:53", name, "1");
  const address = said.split("\n").at(-1) ?? "";
  addresses.set(name, address);
  return address;
}

/** Says something to a host inside TLS for a name; what the guest hears is checked for keys. */
async function say(host: string, name: string, text: string): Promise<string> {
  const said = await guest.attack("tls", `${await addressOf(host)}:443`, name, text);
  for (const key of all) {
    expect(said).not.toContain(key);
    for (const form of Object.values(echoForms)) expect(said).not.toContain(form(key).slice(1, -4));
  }
  return said;
}

const get = (host: string, path = "/", more = "") =>
  `GET ${path} HTTP/1.1\\r\\nHost: ${host}\\r\\nConnection: close\\r\\n${more}\\r\\n`;

test("the key is put in by the host, and comes back to the guest as stars", async () => {
  const said = await say(alpha, alpha, get(alpha, "/echo", "x-api-key: the-guests-own\\r\\n"));
  expect(said).toContain("200 OK");
  expect(upstream[alpha]?.text).toContain(`x-api-key: ${keys.ATTACKS_ALPHA_KEY}`);
  expect(upstream[alpha]?.text).not.toContain("the-guests-own");
  expect(said).toMatch(/x-seen: \*+/i);
  await guest.audited(
    { event: "egress_swap", host: alpha },
    { event: "egress_swap_error", host: alpha, signal: "credential-echo" },
  );
});

test("an answer of any kind and in any form brings stars", async () => {
  const upgrading = (path: string) =>
    `GET ${path} HTTP/1.1\\r\\nHost: ${alpha}\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n`;
  for (const request of [get(alpha, "/gzip"), upgrading("/gzip")]) {
    expect(await say(alpha, alpha, request)).toMatch(/seen \*+/);
  }
  for (const request of [get(alpha, "/compress"), upgrading("/compress")]) {
    const refused = { event: "egress_deny", host: alpha, signal: "denied" } as const;
    expect(await guest.auditing(refused, () => say(alpha, alpha, request))).toContain(" 502 ");
  }
  const said = await say(alpha, alpha, get(alpha, "/forms"));
  const lines = said.split("\n").filter((line) => line.includes("*****"));
  expect(lines).toHaveLength(Object.keys(echoForms).length);
  expect(await say(alpha, alpha, get(alpha, "/trailer"))).toContain("seen");
});

test("the key of another host cannot be asked for", async () => {
  const absolute = (url: string, host: string) =>
    `GET ${url} HTTP/1.1\\r\\nHost: ${host}\\r\\nConnection: close\\r\\n\\r\\n`;
  const mismatch = {
    event: "egress_deny",
    host: alpha,
    reason: "host-mismatch",
    signal: "name-destination-mismatch",
  } as const;
  for (const request of [
    get(beta),
    absolute(`http://${beta}/`, beta),
    absolute(`https://${beta}/`, alpha),
    absolute(`https://${alpha}/`, beta),
    absolute(`http://${alpha}/`, alpha),
    get(`${alpha}:444`),
  ]) {
    const said = await guest.auditing(mismatch, () => say(alpha, alpha, request));
    expect(said, request).toContain(" 421 ");
  }
  // The handshake for one of them at the other's address.
  expect(await say(alpha, beta, get(beta))).toMatch(/^handshake (reset|closed)$/);
  expect(await say(alpha, "other.example.test", get(alpha))).toMatch(/^handshake (reset|closed)$/);
  await guest.audited(
    { event: "egress_deny", host: beta, signal: "name-destination-mismatch" },
    { event: "egress_deny", host: "other.example.test", signal: "name-destination-mismatch" },
  );
  expect(upstream[beta]?.text).toBe("");
});

test("no request is smuggled through the swap", async () => {
  const heard = upstream[alpha];
  if (heard === undefined) throw new Error("No upstream");
  heard.text = "";
  const hidden = `GET /smuggled HTTP/1.1\\r\\nHost: ${alpha}\\r\\n\\r\\n`;
  const post = (head: string, body: string) =>
    `POST / HTTP/1.1\\r\\nHost: ${alpha}\\r\\nConnection: close\\r\\n${head}\\r\\n${body}`;
  const attempts = [
    post("Content-Length: 5\\r\\nTransfer-Encoding: chunked\\r\\n", `0\\r\\n\\r\\n${hidden}`),
    post("Content-Length: 5\\r\\nContent-Length: 60\\r\\n", `hello${hidden}`),
    post("Content-Length: +5\\r\\n", `hello${hidden}`),
    post("Content-Length: 0x5\\r\\n", `hello${hidden}`),
    post("Transfer-Encoding : chunked\\r\\nContent-Length: 5\\r\\n", `0\\r\\n\\r\\n${hidden}`),
    post("Transfer-Encoding: xchunked\\r\\n", `0\\r\\n\\r\\n${hidden}`),
    post("Transfer-Encoding: chunked, identity\\r\\n", `0\\r\\n\\r\\n${hidden}`),
    post("Transfer-Encoding:\\x0bchunked\\r\\nContent-Length: 5\\r\\n", `0\\r\\n\\r\\n${hidden}`),
    post("Transfer-Encoding: chunked\\r\\n", `5;x=\\ny\\r\\nhello\\r\\n0\\r\\n\\r\\n`),
    post("Transfer-Encoding: chunked\\r\\n", `fffffffffffffffff\\r\\n${hidden}`),
    post("X-A: b\\r\\n Content-Length: 5\\r\\n", `hello${hidden}`),
    post("X-A: b\\nContent-Length: 5\\r\\n", `hello${hidden}`),
    post("X-A: b\\x00c\\r\\n", hidden),
    `GET /\\x0dX-Smuggled: 1 HTTP/1.1\\r\\nHost: ${alpha}\\r\\n\\r\\n`,
    `GET / HTTP/1.1\\r\\nHost: ${alpha}\\r\\nHost: ${beta}\\r\\nConnection: close\\r\\n\\r\\n`,
    `PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n`,
  ];
  for (const attempt of attempts) {
    const wanted = { event: "egress_deny", host: alpha } as const;
    const said = await guest.auditing(wanted, () => say(alpha, alpha, attempt));
    expect(said, attempt).toMatch(/^HTTP\/1\.1 4\d\d /);
  }
  // What a connection says of itself takes nothing from a request either.
  const named = "Connection: close, x-api-key, host\\r\\n";
  const said = await say(
    alpha,
    alpha,
    `GET /plain HTTP/1.1\\r\\nHost: ${alpha}\\r\\n${named}\\r\\n`,
  );
  expect(said).toContain("200 OK");
  // Whatever left was one request for one that was made, with one key.
  expect(heard.text).toContain("GET /plain HTTP/1.1");
  expect(heard.text).not.toContain("/smuggled");
  const heads = heard.text.split(/(?:GET|POST) \S+ HTTP\/1\.1\r\n/).length - 1;
  expect(heads).toBeLessThanOrEqual(attempts.length + 1);
  expect(heard.text.split(keys.ATTACKS_ALPHA_KEY).length - 1).toBe(heads);
});

test("a server whose certificate does not hold gets nothing", async () => {
  const failed = { event: "egress_mitm_upstream_error", host: wrong } as const;
  const said = await guest.auditing(failed, () => say(wrong, wrong, get(wrong)));
  expect(said).toContain(" 502 ");
  expect(upstream[wrong]?.text).toBe("");
});

test("a vault that is down means that nothing leaves, and one that is back that it does", async () => {
  const unresolved = {
    event: "egress_swap_error",
    host: vaulted,
    signal: "unresolved-secret-ref",
  } as const;
  // Silent is last: it takes connections and answers none, for as long as a credential may take.
  for (const how of ["sealed", "broken", "endless", "gone", "silent"] as const) {
    vault.behave(how);
    const asked = vault.asked.length;
    const said = await guest.auditing(unresolved, () => say(vaulted, vaulted, get(vaulted)));
    expect(said, how).toContain(" 502 ");
    expect(vault.asked.length, how).toBeGreaterThan(asked);
    await guest.isAlive();
    // A failure is remembered for a moment.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
  }
  expect(upstream[vaulted]?.text).toBe("");
  vault.behave("well");
  expect(await say(vaulted, vaulted, get(vaulted))).toContain("200 OK");
  expect(upstream[vaulted]?.text).toContain(vaultKey);
});

test("the keys are nowhere in the guest: no memory, no environment, no file, no core dump", async () => {
  const address = await addressOf(alpha);
  // A client that dies with its connection open and leaves a core.
  const died = await guest.shell(`
    echo /core.%p > /proc/sys/kernel/core_pattern; ulimit -c unlimited
    GOTRACEBACK=crash /attacker tls ${address}:443 ${alpha} 'GET / HTTP/1.1\\r\\nHost: ${alpha}\\r\\n' 2>/dev/null &
    sleep 2; kill -ABRT $!; wait; ls /core.*`);
  expect(died).toMatch(/\/core\.\d+/);
  const backwards = (text: string) => [...text].reverse().join("");
  const holding = guest.shell("sleep 60");
  const said = await guest.attack("scan", backwards(placeholder), ...all.map(backwards));
  const [size = "", ofPlaceholder = "", ...ofKeys] = said.split("\n");
  // The search does find what is there.
  expect(Number(size.split(" ")[1])).toBeGreaterThan(10);
  expect(Number(ofPlaceholder.split(" ")[1])).toBeGreaterThan(0);
  expect(ofKeys).toEqual(all.map(() => "found 0"));
  await guest.shell("killall sleep");
  await holding;
});

test("the keys are in no snapshot, in nothing the host wrote, and in no process of the machine", async () => {
  const { bench } = attacks;
  const { path } = await withOp("snapshot", { timeoutMs: 300_000 }, (op) =>
    snapshotWorkspace(op, bench.engine, guest.workspace, "stolen"),
  );
  expect(await filesWith(path, placeholder)).toContain(join(path, "memory"));
  for (const key of all) expect(await filesWith(bench.stateDir, key), key).toEqual([]);
  const pids = await machinesOf(bench.stateDir);
  expect(pids).toHaveLength(1);
  for (const name of ["environ", "cmdline"]) {
    const text = await readFile(`/proc/${pids[0]}/${name}`, "latin1");
    for (const key of all) expect(text).not.toContain(key);
  }
  const audit = JSON.stringify(await guest.audit());
  expect(audit).toContain("egress_swap");
  for (const key of all) expect(audit).not.toContain(key);
  // Saved and gone on, it is served as before.
  addresses.clear();
  expect(await say(beta, beta, get(beta))).toContain("200 OK");
});

async function filesWith(dir: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && (await readFile(path)).includes(text)) found.push(path);
  }
  return found;
}

// Last, because the place of the key is asked less often for a while.
test("seventy refusals ask a key's place a few times only, and push nothing out of the search", async () => {
  const asked = vault.asked.length;
  vault.behave("well");
  expect(await say(alpha, alpha, get(alpha))).toContain("200 OK");
  const refused = `GET /refused HTTP/1.1\\r\\nHost: ${vaulted}\\r\\n\\r\\n`;
  // Requests of one connection may have the same credential before the first of them is refused.
  for (let connection = 0; connection < 10; connection++) {
    const said = await say(vaulted, vaulted, `${refused.repeat(6)}${get(vaulted, "/refused")}`);
    expect(said.split(" 401 ").length - 1).toBe(7);
  }
  expect(vault.asked.length - asked).toBeLessThanOrEqual(10);
  await guest.audited({
    event: "egress_swap_error",
    host: vaulted,
    reason: expect.stringContaining("limited, a refused credential stays in use"),
  });
  const echoed = await say(alpha, alpha, get(alpha, "/echo"));
  expect(echoed).toMatch(/x-seen: \*+/i);
});
