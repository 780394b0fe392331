import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ClientGate, openClientGate } from "../../fixtures/client-gate.ts";
import { startNginxTls } from "../../fixtures/nginx-tls.ts";
import { type OpensslServer, startOpenssl } from "../../fixtures/openssl-server.ts";
import { ask, curl } from "../../support/client-program.ts";
import { follow } from "../../support/running.ts";

const name = "openssl.example.test";

let dir: string;
let servers: OpensslServer[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-openssl-"));
});
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

async function serverWith(...more: string[]): Promise<number> {
  const server = await startOpenssl(dir, more);
  servers = [...servers, server];
  return server.port;
}

const request = `GET / HTTP/1.0\r\nHost: ${name}\r\n\r\n`;

/** What a client of OpenSSL heard; it asks for the server's page. */
async function connected(gate: ClientGate, ...args: string[]) {
  const to = ["-connect", `127.0.0.1:${await gate.entrance(name, 6380)}`, "-ign_eof"];
  return await ask("openssl", ["s_client", ...to, ...args], { input: request });
}

test("TLS without a server name passes where the port is listed; else the receipt says what to write", async () => {
  const places = { [name]: await serverWith() };
  {
    await using gate = await openClientGate({ places, allow: [`${name}:6380`] });
    expect((await connected(gate, "-noservername")).stdout).toContain("HTTP/1.0 200 ok");
    expect((await gate.audit()).complaints).toEqual([]);
  }
  await using gate = await openClientGate({ places, allow: [name] });
  expect((await connected(gate, "-noservername")).stdout).not.toContain("200 ok");
  expect((await connected(gate, "-servername", name)).stdout).toContain("HTTP/1.0 200 ok");
  const { summary, lines } = await gate.audit();
  const denied = lines.filter(({ event }) => event === "egress_deny");
  expect(denied).toMatchObject([{ host: name, signal: "direct-ip-no-sni" }]);
  expect(summary.deny_reasons).toEqual({ [name]: `TLS names no server: list ${name}:6380` });
  expect(summary.allowable).toEqual([`${name}:6380`]);
});

test("TLS for another server is refused, whatever the list says", async () => {
  const places = { [name]: await serverWith() };
  for (const entry of [name, `${name}:6380`]) {
    await using gate = await openClientGate({ places, allow: [entry] });
    const got = await connected(gate, "-servername", "other.example.test");
    expect(got.stdout).not.toContain("200 ok");
    const { lines, summary } = await gate.audit();
    expect(lines.filter(({ event }) => event === "egress_deny")).toMatchObject([
      { host: "other.example.test", signal: "name-destination-mismatch" },
    ]);
    expect(summary.allowable).toEqual([]);
  }
});

test.each([
  ["TLS 1.2 alone", ["-tls1_2"], []],
  ["a certificate of the client", ["-Verify", "1"], ["certificate"]],
  ["another group than the client's first", ["-groups", "P-384"], []],
])("a server that demands %s is reached by a bare name", async (_what, demanded, given) => {
  const port = await serverWith(...demanded);
  await using gate = await openClientGate({ places: { [name]: port }, allow: [name] });
  const files = ["-cert", join(dir, "certificate.pem"), "-key", join(dir, "key.pem")];
  const args = given.length === 0 ? [] : files;
  const got = await connected(gate, "-servername", name, ...args);
  expect(got.stdout, got.stderr).toContain("HTTP/1.0 200 ok");
  expect((await gate.audit()).complaints).toEqual([]);
});

test.each([
  ["1.3", []],
  ["1.2", ["-tls1_2"]],
])("a session of TLS %s is resumed", async (version, demanded) => {
  const port = await serverWith(...demanded);
  await using gate = await openClientGate({ places: { [name]: port }, allow: [name] });
  const session = join(dir, `session-${version}`);
  await connected(gate, "-servername", name, "-sess_out", session);
  const { stdout } = await connected(gate, "-servername", name, "-sess_in", session);
  expect(stdout).toMatch(new RegExp(`Reused, TLSv${version.replace(".", "\\.")}`));
  expect((await gate.audit()).complaints).toEqual([]);
});

test("data that comes with the ClientHello arrives, and is accepted", async () => {
  const server = await startOpenssl(dir, ["-early_data"], "nothing");
  servers = [...servers, server];
  await using gate = await openClientGate({ places: { [name]: server.port }, allow: [name] });
  const session = join(dir, "session-early");
  const early = join(dir, "early");
  await writeFile(early, "said before the handshake was over\n");
  const entrance = await gate.entrance(name, 443);
  // What it prints may stay in its buffer until it ends.
  const client = async (isDone: () => Promise<boolean>, ...args: string[]) => {
    const to = ["-connect", `127.0.0.1:${entrance}`, "-servername", name];
    const running = follow(spawn("openssl", ["s_client", ...to, ...args], { stdio: "pipe" }));
    await running.until(isDone);
    running.child.stdin?.end("Q\n");
    await running.code;
    return running.stdout();
  };
  const hasSession = async () =>
    (await readFile(session, "utf8").catch(() => "")).includes("-----END");
  await client(hasSession, "-sess_out", session);
  const isHeard = async () => server.stdout().includes("said before the handshake was over");
  expect(await isHeard()).toBe(false);
  const printed = await client(isHeard, "-sess_in", session, "-early_data", early);
  expect(printed).toContain("Early data was accepted");
  expect((await gate.audit()).complaints).toEqual([]);
});

test("nginx with TLS 1.2 alone, and with clients that show a certificate", async () => {
  await using nginx = await startNginxTls(dir);
  const [old, mutual] = ["old.example.test", "mutual.example.test"];
  const places = { [old]: nginx.oldPort, [mutual]: nginx.mutualPort };
  await using gate = await openClientGate({ places, allow: [old, mutual] });
  const { authority, certificate, key } = nginx.files;
  const page = async (of: string, ...args: string[]) => {
    const got = await curl(gate, `https://${of}/`, ["--cacert", authority, ...args]);
    expect(got.code, got.stderr).toBe(0);
    return got.stdout;
  };
  expect(await page(old)).toBe("TLSv1.2 NONE\n");
  expect(await page(mutual, "--cert", certificate, "--key", key)).toBe("TLSv1.3 SUCCESS\n");
  expect(await page(mutual)).toContain("400 No required SSL certificate was sent");
  expect((await gate.audit()).complaints).toEqual([]);
});
