import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ClientGate, openClientGate } from "../../fixtures/client-gate.ts";
import { type Squid, startSquid } from "../../fixtures/squid.ts";
import { startWeb, type WebServer } from "../../fixtures/web-server.ts";
import { ask } from "../../support/client-program.ts";

const proxy = "proxy.example.test";
const [first, second, secure] = ["a.example.test", "b.example.test", "web.example.test"];
const mail = "mail.example.test";
const unlisted = "other.example.test";

let squid: Squid;
let plain: WebServer;
let tls: WebServer;
let greeter: Server;
let greeterPort: number;
beforeAll(async () => {
  squid = await startSquid([first, second, secure, mail, unlisted]);
  plain = await startWeb({ speaks: "http" });
  tls = await startWeb({ speaks: "https" });
  // Speaks first, and a protocol that no gate can read.
  greeter = createServer((socket) => {
    socket.on("error", () => {});
    socket.write("220 ready\r\n");
    socket.on("data", (piece) => socket.end(`250 ${piece.toString("latin1").trim()}\r\n`));
  });
  greeter.listen(0, "127.0.0.1");
  await once(greeter, "listening");
  greeterPort = (greeter.address() as AddressInfo).port;
});
afterAll(async () => {
  for (const one of [squid, plain, tls]) await one?.[Symbol.asyncDispose]();
  greeter?.close();
});

const openGate = (...allow: string[]) =>
  openClientGate({ places: { [proxy]: squid.port }, allow: [proxy, ...allow] });

/** curl with the variables that tell programs of a proxy. */
async function through(gate: ClientGate, ...args: string[]) {
  const entrance = await gate.entrance(proxy);
  const url = `http://${proxy}:${entrance}`;
  const resolve = ["--resolve", `${proxy}:${entrance}:127.0.0.1`, "--cacert", gate.caFile];
  const words = ["-sS", "--max-time", "30", "-x", url, ...resolve, ...args];
  return await ask("curl", words, { input: "EHLO me\r\n" });
}

test("each host that one connection asks a proxy for has a line of the audit", async () => {
  await using gate = await openGate(first, second);
  const urls = [first, second].map((name) => `http://${name}:${plain.port}/x`);
  const got = await through(gate, ...urls);
  expect(got, got.stderr).toMatchObject({ code: 0 });
  expect(got.stdout).toBe("GET /x HTTP/1.1 0\nGET /x HTTP/1.1 0\n");
  const { lines, complaints } = await gate.audit();
  expect(complaints).toEqual([]);
  const allowed = lines.filter(({ event }) => event === "egress_allow");
  expect(allowed.map(({ host }) => host)).toEqual([first, second]);
  expect(new Set(allowed.map(({ operation_id }) => operation_id)).size).toBe(1);
});

test("TLS goes through a CONNECT to a listed host", async () => {
  await using gate = await openGate(secure);
  const got = await through(gate, `https://${secure}:${tls.port}/x`);
  expect(got, got.stderr).toMatchObject({ code: 0, stdout: "GET /x HTTP/2.0 0\n" });
  expect((await gate.audit()).complaints).toEqual([]);
});

test("HTTP through a tunnel names its host", async () => {
  await using gate = await openGate(first);
  const got = await through(gate, "-p", `http://${first}:${plain.port}/x`);
  expect(got, got.stderr).toMatchObject({ code: 0, stdout: "GET /x HTTP/1.1 0\n" });
  expect((await gate.audit()).complaints).toEqual([]);
});

test("a tunnel carries a protocol whose server speaks first where its port is listed, and no other", async () => {
  const target = `${mail}:${greeterPort}`;
  {
    await using gate = await openGate(target);
    const got = await through(gate, "-p", `telnet://${target}`);
    expect(got.stdout, got.stderr).toBe("220 ready\r\n250 EHLO me\r\n");
    expect((await gate.audit()).complaints).toEqual([]);
  }
  await using gate = await openGate(mail);
  const got = await through(gate, "-p", `telnet://${target}`);
  expect(got.stdout).not.toContain("250");
  const { summary } = await gate.audit();
  expect(summary.allowable).toEqual([target]);
});

test("an unlisted host is refused, by request and by CONNECT, and the receipt names it", async () => {
  await using gate = await openGate(first);
  const from = plain.requests.length;
  expect((await through(gate, `http://${unlisted}/x`)).code).toBe(56);
  expect((await through(gate, `https://${unlisted}/x`)).code).toBe(56);
  expect(plain.requests.length).toBe(from);
  const { complaints, summary } = await gate.audit();
  const line = `${unlisted}: the proxy is asked for "${unlisted}", which is not listed`;
  expect(complaints).toEqual([line, line]);
  expect(summary.allowable).toEqual([unlisted]);
});
