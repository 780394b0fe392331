import { once } from "node:events";
import { connect as connectH2 } from "node:http2";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { MicroagentError } from "../../../../src/base/errors.ts";
import { realClock } from "../../../../src/base/op.ts";
import { WorkspaceAuthority } from "../../../../src/egress/tls/authority.ts";
import { gateTo } from "../../../fixtures/gate-to.ts";
import {
  exampleRule,
  getH1,
  getH2,
  guestTls,
  host,
  raw,
  realKey,
  type Upstream,
  upstreamH1,
  upstreamH2,
  world,
} from "../../../fixtures/swap-gate.ts";

/** A server that says how many requests it has read. */
function counting(): { upstream: Promise<Upstream>; readonly requests: string[] } {
  const requests: string[] = [];
  const upstream = upstreamH1((message, response) => {
    requests.push(`${message.method} ${message.url}`);
    message.resume();
    response.end("ok");
  });
  return { upstream, requests };
}

const mismatched = [
  ["a Host of another swap host", { headers: { host: "api.other.test" } }],
  ["a Host with another port", { headers: { host: `${host}:8443` } }],
  ["a Host with credentials before it", { headers: { host: `x@${host}` } }],
  ["a whole URL of another host", { path: "https://api.other.test/v1", headers: { host } }],
  ["a whole URL without TLS", { path: `http://${host}/v1`, headers: { host } }],
] as const;

test.each(mismatched)("%s is refused, audited, and never leaves", async (_, options) => {
  const { upstream, requests } = counting();
  const gate = await gateTo(upstream);
  const answer = await getH1(gate, options);
  expect(answer.status).toBe(421);
  expect(requests).toEqual([]);
  expect(gate.dials.count).toBe(0);
  expect(gate.events).toEqual([
    {
      event: "egress_deny",
      host,
      dst: "",
      reason: "host-mismatch",
      signal: "name-destination-mismatch",
    },
  ]);
});

test("an :authority or a Host beside it of another host is refused", async () => {
  const { upstream, requests } = counting();
  const gate = await gateTo(upstream);
  expect((await getH2(gate, { ":authority": "api.other.test" })).status).toBe(421);
  expect((await getH2(gate, { host: "api.other.test" })).status).toBe(421);
  expect(requests).toEqual([]);
});

test("the same host in another spelling is the same host", async () => {
  const { upstream, requests } = counting();
  const gate = await gateTo(upstream);
  expect((await getH1(gate, { headers: { host: "API.Example.Test.:443" } })).status).toBe(200);
  expect((await getH1(gate, { path: `https://${host}/v2`, headers: { host } })).status).toBe(200);
  expect(requests).toEqual(["GET /", "GET /v2"]);
});

test("a connection for one host gets that host's credential, whatever it asks for", async () => {
  const other = { ...exampleRule, name: "other", domains: ["api.other.test"], keyRef: "env:OTHER" };
  const seen: string[] = [];
  const gate = await gateTo(
    upstreamH1((message, response) => {
      seen.push(String(message.headers.authorization));
      response.end();
    }),
    {
      rules: [exampleRule, other],
      resolveSecret: async (reference) => Buffer.from(`${reference}-${realKey}`),
    },
  );
  expect((await getH1(gate, { headers: { host: "api.other.test" } })).status).toBe(421);
  await getH1(gate);
  expect(seen).toEqual([`Bearer env:EXAMPLE_KEY-${realKey}`]);
});

test.each([
  ["another name", "api.other.test"],
  ["no name", ""],
])("a handshake with %s than the gate saw ends", async (_, servername) => {
  const { upstream } = counting();
  const gate = await gateTo(upstream);
  await expect(
    guestTls(gate, { servername, checkServerIdentity: () => undefined }),
  ).rejects.toThrow();
  expect(gate.events.map(({ event }) => event)).toEqual(["egress_mitm_handshake_error"]);
});

test("what is no TLS, and a guest that does not trust us, are audited and end", async () => {
  const { upstream } = counting();
  const gate = await gateTo(upstream);
  await expect(guestTls(gate, { ca: world.certificatePem })).rejects.toThrow();
  await expect(guestTls(gate, { maxVersion: "TLSv1.1", minVersion: "TLSv1" })).rejects.toThrow();
  expect(gate.dials.count).toBe(0);
  expect(gate.events.every(({ event }) => event === "egress_mitm_handshake_error")).toBe(true);
});

const line = `POST / HTTP/1.1\r\nHost: ${host}\r\n`;
const smuggled = `GET /smuggled HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const malformed = [
  [
    "both framings",
    `${line}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ],
  ["two lengths", `${line}Content-Length: 0\r\nContent-Length: 5\r\n\r\n${smuggled}`],
  ["a list of lengths", `${line}Content-Length: 0, 5\r\n\r\n${smuggled}`],
  ["a signed length", `${line}Content-Length: +5\r\n\r\nabcde${smuggled}`],
  [
    "a bad chunk size",
    `${line}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n${smuggled}`,
  ],
  [
    "a chunk longer than it says",
    `${line}Transfer-Encoding: chunked\r\n\r\n2\r\nabcdef\r\n0\r\n\r\n${smuggled}`,
  ],
  [
    "another coding behind chunked",
    `${line}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
  ],
  ["a space before the colon", `${line}Content-Length : 5\r\n\r\nabcde${smuggled}`],
  ["a bare line feed", `POST / HTTP/1.1\nHost: ${host}\nContent-Length: 0\n\n${smuggled}`],
  ["a NUL in a value", `${line}X-A: a\0b\r\nContent-Length: 0\r\n\r\n${smuggled}`],
  ["a carriage return in a value", `${line}X-A: a\rb\r\nContent-Length: 0\r\n\r\n${smuggled}`],
  [
    "an upgrade with a body",
    `${line}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nabcde${smuggled}`,
  ],
] as const;

test.each(malformed)(
  "a request with %s is refused, and nothing behind it is read",
  async (_, text) => {
    const { upstream, requests } = counting();
    const gate = await gateTo(upstream);
    expect(await raw(gate, text)).toMatch(/^HTTP\/1\.1 4\d\d /);
    // Of a body that turns out to be malformed, the head may have left; nothing else ever does.
    const late = /chunk (size|longer)/.test(_);
    expect(requests.filter((request) => !late || request !== "POST /")).toEqual([]);
    expect(gate.events.some(({ event }) => event === "egress_deny")).toBe(true);
  },
);

const unaddressed = [
  [
    "two hosts",
    `GET / HTTP/1.1\r\nHost: ${host}\r\nHost: api.other.test\r\nConnection: close\r\n\r\n`,
  ],
  [
    "the host twice",
    `GET / HTTP/1.1\r\nHost: ${host}\r\nHost: ${host}:443\r\nConnection: close\r\n\r\n`,
  ],
  ["no host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"],
  ["a path that is none", `GET v1 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`],
  ["CONNECT", `CONNECT api.other.test:443 HTTP/1.1\r\nHost: ${host}\r\n\r\n${smuggled}`],
] as const;

test.each(unaddressed)("a request with %s never leaves", async (_, text) => {
  const { upstream, requests } = counting();
  const gate = await gateTo(upstream);
  expect(await raw(gate, text)).toMatch(/^HTTP\/1\.1 4\d\d /);
  expect(requests).toEqual([]);
  expect(gate.events.map(({ event }) => event)).toEqual(["egress_deny"]);
});

test("a folded header reaches the server as one line or not at all", async () => {
  const got: string[][] = [];
  const gate = await gateTo(
    upstreamH1((message, response) => {
      got.push(message.rawHeaders);
      response.end("ok");
    }),
  );
  await raw(
    gate,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nX-A: a\r\n Authorization: mine\r\nConnection: close\r\n\r\n`,
  );
  expect(got.flat().filter((text) => /^authorization$/i.test(text))).toHaveLength(got.length);
  expect(got.flat().join()).not.toMatch(/[\r\n]/);
});

test("a body of HTTP/2 that is not as long as it says does not reach a server of HTTP/1.1 whole", async () => {
  const { upstream, requests } = counting();
  const gate = await gateTo(upstream);
  for (const body of [`abcde${smuggled}`, "abc"]) {
    const socket = await guestTls(gate, { ALPNProtocols: ["h2"] });
    const session = connectH2(`https://${host}`, { createConnection: () => socket });
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST", "content-length": "5" });
    stream.on("error", () => {});
    const closed = new Promise((resolve) => stream.once("close", resolve));
    stream.end(body);
    stream.resume();
    await closed;
    session.destroy();
  }
  expect(requests).not.toContain("GET /smuggled");
});

test("a head beyond the bounds is refused", async () => {
  const { upstream, requests } = counting();
  const gate = await gateTo(upstream);
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x-${i}`, "1"]));
  expect((await getH1(gate, { headers: { host, ...many } })).status).toBe(431);
  expect(
    await raw(gate, `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${"a".repeat(70_000)}\r\n\r\n`),
  ).toMatch(/^HTTP\/1\.1 431/);
  await expect(getH2(gate, many)).rejects.toThrow();
  expect(requests).toEqual([]);
});

test.each([
  ["HTTP/1.1", getH1],
  ["HTTP/2", getH2],
] as const)("a source that is down keeps a request of %s on the host", async (_, get) => {
  const { upstream, requests } = counting();
  const gate = await gateTo(upstream, {
    resolveSecret: async () => {
      throw new MicroagentError("secret_source_failed", `Vault is down ${realKey}`);
    },
  });
  const answer = await get(gate);
  expect(answer.status).toBe(502);
  expect(answer.body).toContain("(secret_source_failed)");
  expect(requests).toEqual([]);
  expect(gate.dials.count).toBe(0);
  expect(gate.events).toEqual([
    {
      event: "egress_swap_error",
      host,
      dst: "",
      reason: "example: secret_source_failed",
      signal: "unresolved-secret-ref",
    },
  ]);
  expect(answer.body + JSON.stringify(gate.events)).not.toContain(realKey);
});

test.each([
  ["short", "abc"],
  ["with a line break", "abcdefgh\nX-Evil: 1"],
  ["empty", ""],
])("a credential that is %s is not used", async (_, value) => {
  const { upstream, requests } = counting();
  const gate = await gateTo(upstream, { resolveSecret: async () => Buffer.from(value) });
  expect((await getH1(gate)).status).toBe(502);
  expect(requests).toEqual([]);
});

test("a guest cannot hammer a source that fails", async () => {
  let asked = 0;
  const { upstream } = counting();
  const gate = await gateTo(upstream, {
    resolveSecret: async () => {
      asked += 1;
      throw new MicroagentError("secret_denied", "No");
    },
  });
  await Promise.all(Array.from({ length: 10 }, () => getH1(gate)));
  expect(asked).toBe(1);
});

const stranger = new WorkspaceAuthority(["example.test"], realClock);
const expired = new WorkspaceAuthority(["example.test"], {
  ...realClock,
  now: () => Date.now() - 1000 * 24 * 3600 * 1000,
});
const badUpstreams = [
  ["a stranger's certificate", stranger.contextFor(host), /UNABLE_TO|SELF_SIGNED/],
  ["a certificate of yesteryear", expired.contextFor(host), /EXPIRED|UNABLE_TO|SELF_SIGNED/],
  ["a certificate for another name", world.contextFor("other.example.test"), /ALTNAME/],
] as const;

test.each(badUpstreams)("a server with %s gets nothing", async (_, context, reason) => {
  const requests: string[] = [];
  const gate = await gateTo(
    upstreamH1((message, response) => {
      requests.push(message.url ?? "");
      response.end();
    }, context),
  );
  for (const get of [getH1, getH2]) {
    const answer = await get(gate);
    expect(answer.status).toBe(502);
    expect(answer.body).toContain("cannot be reached over verified TLS");
  }
  expect(requests).toEqual([]);
  const errors = gate.events.filter(({ event }) => event === "egress_mitm_upstream_error");
  expect(errors).toHaveLength(2);
  expect(errors[0]?.reason).toMatch(reason);
});

test("a server that is not there, or says nothing sensible, is a 502", async () => {
  const gate = await gateTo(Promise.resolve({ port: 1, close: () => {} }));
  expect((await getH1(gate)).status).toBe(502);
  const server = createServer((socket) => socket.end("no TLS at all"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = (server.address() as { port: number }).port;
  const other = await gateTo(Promise.resolve({ port, close: () => server.close() }));
  expect((await getH2(other)).status).toBe(502);
  expect(other.events.at(-1)?.event).toBe("egress_mitm_upstream_error");
});

test("an answer that breaks off breaks off for the guest as well", async () => {
  const gate = await gateTo(
    upstreamH1((_message, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("some of it");
      setImmediate(() => response.destroy());
    }),
  );
  await expect(getH1(gate)).rejects.toThrow();
  await expect(getH2(gate)).rejects.toThrow();
});

test("a guest that goes away ends the request at the server", async () => {
  let ended: () => void = () => {};
  const over = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const gate = await gateTo(
    upstreamH2((stream) => {
      stream.respond({ ":status": 200 });
      stream.write("for ever");
      stream.on("close", ended);
    }),
  );
  const socket = await guestTls(gate, { ALPNProtocols: ["h2"] });
  const session = connectH2(`https://${host}`, { createConnection: () => socket });
  session.on("error", () => {});
  const stream = session.request({ ":path": "/" });
  stream.on("error", () => {});
  await once(stream, "response");
  session.destroy();
  await over;
});
