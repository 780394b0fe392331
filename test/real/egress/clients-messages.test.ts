import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clientPackages, goClient, prepareClients } from "../../../scripts/client-programs.mjs";
import { type ClientGate, openClientGate } from "../../fixtures/client-gate.ts";
import { exampleRule, host, realKey } from "../../fixtures/swap-gate.ts";
import { type TlsInFront, tlsInFrontOf } from "../../fixtures/tls-in-front.ts";
import { startWeb, type WebServer } from "../../fixtures/web-server.ts";
import { ask } from "../../support/client-program.ts";
import { follow, type Running } from "../../support/running.ts";

const programs = join(import.meta.dirname, "..", "..", "fixtures", "clients");
const env = { CLIENT_PACKAGES: clientPackages };

let servers: Running;
let ports: { readonly grpc: number; readonly strict: number; readonly ws: number };
let secureGrpc: TlsInFront;
let strictGrpc: TlsInFront;
let secureWs: TlsInFront;
let web: WebServer;
let h2c: WebServer;
beforeAll(async () => {
  await prepareClients();
  const options = { env: { ...process.env, ...env } };
  servers = follow(spawn("node", [join(programs, "messages-server.mjs")], options));
  await servers.printed(/\n/);
  ports = JSON.parse(servers.stdout());
  secureGrpc = await tlsInFrontOf(ports.grpc, ["h2"]);
  strictGrpc = await tlsInFrontOf(ports.strict, ["h2"]);
  secureWs = await tlsInFrontOf(ports.ws, ["http/1.1"]);
  web = await startWeb({ speaks: "https" });
  h2c = await startWeb({ speaks: "h2c" });
});
afterAll(async () => {
  servers?.child.kill();
  for (const one of [secureGrpc, strictGrpc, secureWs, web, h2c])
    await one?.[Symbol.asyncDispose]();
});

const name = "messages.example.test";
const gateTo = (port: number, allow: string) =>
  openClientGate({ places: { [name]: port }, allow: [allow] });
const swapTo = (port: number) =>
  openClientGate({ places: { [host]: port }, allow: [], swaps: [exampleRule] });

/** What a program of Node prints that is told a name, its port, where it finds that, and the roots of TLS. */
async function node(gate: ClientGate, program: string, of: string, port: number, tls: boolean) {
  const words = [of, String(port), String(await gate.entrance(of, port))];
  const roots = tls ? [gate.caFile] : [];
  const got = await ask("node", [join(programs, program), ...words, ...roots], { env });
  expect(got.code, got.stderr).toBe(0);
  return got.stdout;
}

/** A call, a call that its server refuses, and a stream: the status of the second is in trailers. */
const called = JSON.stringify(["hello", "9 no is no", "a b c"]);

test("gRPC over TLS: a call, a refusal, a stream both ways", async () => {
  await using gate = await gateTo(secureGrpc.port, name);
  expect(await node(gate, "grpc-client.mjs", name, 443, true)).toBe(called);
  expect((await gate.audit()).complaints).toEqual([]);
});

test("gRPC through the swap, also to a server that demands trailers", async () => {
  for (const [port, answers] of [
    [secureGrpc.port, called],
    [strictGrpc.port, JSON.stringify(["hello", "no", "a b c"])],
  ] as const) {
    await using gate = await swapTo(port);
    expect(await node(gate, "grpc-client.mjs", host, 443, true)).toBe(answers);
    const { complaints, lines } = await gate.audit();
    expect(complaints).toEqual([]);
    expect(lines.filter(({ event }) => event === "egress_swap").length).toBeGreaterThan(0);
  }
});

test("gRPC without TLS passes where the port is listed; else the receipt says what to write", async () => {
  {
    await using gate = await gateTo(ports.grpc, `${name}:50051`);
    expect(await node(gate, "grpc-client.mjs", name, 50_051, false)).toBe(called);
    expect((await gate.audit()).complaints).toEqual([]);
  }
  await using gate = await gateTo(ports.grpc, name);
  // UNAVAILABLE, or the deadline of a client that tries again and again.
  expect(await node(gate, "grpc-client.mjs", name, 50_051, false)).toMatch(/^\["(14|4) /);
  const { summary } = await gate.audit();
  expect(summary.deny_reasons).toEqual({
    [name]: `HTTP/2 without TLS is not read: list ${name}:50051`,
  });
  expect(summary.allowable).toEqual([`${name}:50051`]);
});

test("WebSockets, with and without TLS, and through the swap", async () => {
  for (const [port, called, tls] of [
    [ports.ws, 8081, false],
    [secureWs.port, 443, true],
  ] as const) {
    await using gate = await gateTo(port, name);
    const heard = JSON.stringify(["key none", "hello", 200_000]);
    expect(await node(gate, "ws-client.mjs", name, called, tls)).toBe(heard);
    expect((await gate.audit()).complaints).toEqual([]);
  }
  await using gate = await swapTo(secureWs.port);
  const [key, ...rest] = JSON.parse(await node(gate, "ws-client.mjs", host, 443, true));
  expect(rest).toEqual(["hello", 200_000]);
  // The server had the key; what it said back is starred out.
  expect(key).toMatch(/^key Bearer \*+$/);
  expect(key).not.toContain(realKey);
});

const go = async (gate: ClientGate, mode: string, of: string, port: number) => {
  const entrance = `127.0.0.1:${await gate.entrance(of, port)}`;
  const roots = mode === "h2c" ? [] : [gate.caFile];
  return await ask(goClient, [mode, of, String(port), entrance, ...roots]);
};
const posted = (version: string) =>
  [0, 1, 2].map((at) => `POST /${at} HTTP/${version} 5\n`).join("");

test.each([
  ["h1", "1.1"],
  ["h2", "2.0"],
  ["pieces", "2.0"],
])("Go's client over TLS, mode %s, plainly and through the swap", async (mode, version) => {
  await using gate = await gateTo(web.port, name);
  const got = await go(gate, mode, name, 443);
  expect(got, got.stderr).toMatchObject({ code: 0, stdout: posted(version) });
  expect((await gate.audit()).complaints).toEqual([]);
  await using swap = await swapTo(web.port);
  const swapped = await go(swap, mode, host, 443);
  expect(swapped, swapped.stderr).toMatchObject({ code: 0, stdout: posted(version) });
  expect((await swap.audit()).complaints).toEqual([]);
});

test("Go's client over HTTP/2 without TLS passes where the port is listed, and is reset where it is not", async () => {
  await using listed = await gateTo(h2c.port, `${name}:8082`);
  const got = await go(listed, "h2c", name, 8082);
  expect(got, got.stderr).toMatchObject({ code: 0, stdout: posted("2.0") });
  expect((await listed.audit()).complaints).toEqual([]);
  await using bare = await gateTo(h2c.port, name);
  // Whether its read or its write of the next frame hears of the end first is open: both are an error.
  const refused = await go(bare, "h2c", name, 8082);
  expect(refused, refused.stderr).toMatchObject({ code: 1, stdout: "" });
  expect((await bare.audit()).summary.allowable).toEqual([`${name}:8082`]);
});

/** Answers five requests of `/p` once all five are there, which they are only if a client pipelines them. */
async function startHolding(): Promise<WebServer & { readonly most: () => number }> {
  let held: (() => void)[] = [];
  let most = 0;
  const server = await startWeb({
    speaks: "http",
    instead: ({ method, url, httpVersion }, response) => {
      if (url?.startsWith("/p") !== true) return false;
      held = [...held, () => response.end(`${method} ${url} HTTP/${httpVersion} 0\n`)];
      most = Math.max(most, held.length);
      if (held.length < 5) return true;
      for (const answer of held) answer();
      held = [];
      return true;
    },
  });
  return { ...server, most: () => most };
}

test("undici 6 pipelines five requests, keeps a connection, and speaks HTTP/2, plainly and through the swap", async () => {
  const lines = (letter: string, version: string, count: number) =>
    Array.from({ length: count }, (_, at) => `GET /${letter}${at} HTTP/${version} 0`);
  const plainly = [...lines("p", "1.1", 5), ...lines("k", "1.1", 3)];
  {
    await using held = await startHolding();
    await using gate = await gateTo(held.port, name);
    const said = await node(gate, "undici-client.mjs", name, 8081, false);
    expect(JSON.parse(said)).toEqual(plainly);
    expect(held.most()).toBe(5);
    const connections = held.requests.map((line) => line.split(" ")[0]);
    expect(connections).toHaveLength(3);
    expect(new Set(connections).size).toBe(1);
    expect((await gate.audit()).complaints).toEqual([]);
  }
  for (const [of, open] of [
    [name, () => gateTo(web.port, name)],
    [host, () => swapTo(web.port)],
  ] as const) {
    await using gate = await open();
    const said = await node(gate, "undici-client.mjs", of, 443, true);
    expect(JSON.parse(said)).toEqual([...plainly, ...lines("h", "2.0", 3)]);
    expect((await gate.audit()).complaints).toEqual([]);
  }
});
