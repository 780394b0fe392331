import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { expect, test } from "vitest";
import { parseAddress } from "../../../src/egress/address.ts";
import type { AddressClass } from "../../../src/egress/address-class.ts";
import { decideFlow, decideName } from "../../../src/egress/decision.ts";
import { HostLists } from "../../../src/egress/host-lists.ts";
import type { Interceptor } from "../../../src/egress/interceptor.ts";
import type { EgressMode } from "../../../src/egress/policy.ts";
import { policyOf, rules } from "../../support/egress-policy.ts";
import {
  type Connection,
  listen,
  mapped,
  type Network,
  withNetwork,
  withServer,
} from "./guest-network.ts";

function decide(
  mode: EgressMode,
  allow: readonly string[],
  to: { text: string; kind: AddressClass; names?: readonly string[]; port?: number },
) {
  const address = parseAddress(to.text);
  if (address === null) throw new TypeError("not an address");
  const lists = new HostLists(policyOf({ mode, allow: rules(...allow) }), ["swap.example"]);
  const { kind, names = [], port = 443 } = to;
  return decideFlow(mode, lists, { address, port, kind, names, standIn: false });
}

test.each([
  ["guarded", [], { text: "93.184.216.34", kind: "public" }, true, undefined],
  ["guarded", [], { text: "10.0.0.1", kind: "private" }, false, "denied"],
  ["guarded", ["10.0.0.1"], { text: "10.0.0.1", kind: "private" }, true, undefined],
  [
    "guarded",
    ["intra.example"],
    { text: "10.0.0.1", kind: "private", names: ["intra.example"] },
    true,
    undefined,
  ],
  // A resolver that lies, or one that rebinds: a name is not enough for these.
  [
    "guarded",
    ["a.example"],
    { text: "169.254.169.254", kind: "metadata", names: ["a.example"] },
    false,
    "denied",
  ],
  [
    "guarded",
    ["a.example"],
    { text: "127.0.0.1", kind: "loopback", names: ["a.example"] },
    false,
    "denied",
  ],
  ["guarded", [], { text: "10.0.0.1", kind: "private", names: ["swap.example"] }, false, "denied"],
  ["guarded", [], { text: "10.0.0.1", kind: "own", names: ["rebind.example"] }, false, "denied"],
  ["strict", [], { text: "93.184.216.34", kind: "public" }, false, "direct-ip-no-sni"],
  ["strict", [], { text: "93.184.216.34", kind: "public", names: ["b.example"] }, false, "denied"],
  [
    "strict",
    ["a.example"],
    { text: "93.184.216.34", kind: "public", names: ["a.example"] },
    true,
    undefined,
  ],
  [
    "strict",
    ["a.example:80"],
    { text: "93.184.216.34", kind: "public", names: ["a.example"] },
    false,
    "denied",
  ],
  [
    "strict",
    [],
    { text: "93.184.216.34", kind: "public", names: ["swap.example"] },
    true,
    undefined,
  ],
  [
    "strict",
    [".google"],
    { text: "8.8.8.8", kind: "public", names: ["dns.google"] },
    false,
    "dns-over-https",
  ],
  [
    "strict",
    ["dns.google"],
    { text: "8.8.8.8", kind: "public", names: ["dns.google"] },
    true,
    undefined,
  ],
  ["off", [], { text: "10.0.0.1", kind: "private" }, true, undefined],
  ["off", [], { text: "127.0.0.1", kind: "loopback" }, false, "denied"],
] as const)("%s with %j: %j is %s (%s)", (mode, allow, to, allowed, signal) => {
  const verdict = decide(mode, allow, to);
  expect(verdict.allowed).toBe(allowed);
  expect(verdict.allowed ? undefined : verdict.signal).toBe(signal);
});

test("names in strict: listed ones only, and no resolver's by a suffix", () => {
  const lists = new HostLists(policyOf({ allow: rules(".example", ".google") }));
  const of = (name: string) => decideName("strict", lists, name);
  expect(of("a.example").allowed).toBe(true);
  expect(of("a.example.evil.test")).toMatchObject({ allowed: false, signal: "resolver-denied" });
  expect(of("dns.google")).toMatchObject({ allowed: false, signal: "dns-over-https" });
});

const http = (host: string, start = "GET / HTTP/1.1") => `${start}\r\nHost: ${host}\r\n\r\n`;

/** A web server on loopback that answers each request with the bytes it got. */
async function withStrictWeb(work: (network: Network, heard: () => string) => Promise<void>) {
  let heard = "";
  const onConnection = (socket: import("node:net").Socket) => {
    socket.on("data", (data) => {
      heard += data.toString("latin1");
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  };
  await withServer(onConnection, async (port) => {
    const policy = {
      mode: "strict" as const,
      allow: rules("web.test", "also.test"),
      hostMap: mapped({ "web.test": port, "also.test": port, "unlisted.test": port }),
    };
    await withNetwork({ policy }, async (network) => {
      await network.lookUp("web.test");
      await work(network, () => heard);
    });
  });
}

async function ended(connection: Connection): Promise<void> {
  await expect(connection.readAll()).rejects.toMatchObject({ code: "channel_closed" });
}

test("strict: a listed name in the Host gets through", async () => {
  await withStrictWeb(async (network) => {
    const connection = await network.tcp("198.18.0.1", 80);
    await connection.write(http("web.test"));
    expect(await connection.read()).toContain("200 OK");
  });
});

test.each([
  ["another listed name at this address", http("also.test"), "name-destination-mismatch"],
  ["an unlisted name", http("evil.test"), "name-destination-mismatch"],
  ["no Host", "GET / HTTP/1.0\r\n\r\n", "direct-ip-no-sni"],
  ["an address for a Host", http("198.18.0.1"), "direct-ip-no-sni"],
  [
    "two Hosts",
    "GET / HTTP/1.1\r\nHost: web.test\r\nHost: evil.test\r\n\r\n",
    "unmediatable-protocol",
  ],
  [
    "a folded Host",
    "GET / HTTP/1.1\r\nX: y\r\n Host: z\r\nHost: web.test\r\n\r\n",
    "unmediatable-protocol",
  ],
  [
    "CONNECT to an unlisted host",
    http("evil.test:443", "CONNECT evil.test:443 HTTP/1.1"),
    "unmediatable-protocol",
  ],
  [
    "a proxied request to an unlisted host",
    http("evil.test", "GET http://evil.test/ HTTP/1.1"),
    "denied",
  ],
  ["HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "unmediatable-protocol"],
  ["neither TLS nor HTTP", "\x00\x01\x02\x03 whatever\r\n", "unmediatable-protocol"],
])("strict: %s is denied, and not a byte of it leaves", async (_name, text, signal) => {
  await withStrictWeb(async (network, heard) => {
    const connection = await network.tcp("198.18.0.1", 80);
    expect(connection.answer.ok).toBe(true);
    await connection.write(Buffer.from(text, "latin1"));
    await ended(connection);
    expect(heard()).toBe("");
    const denials = (await network.events()).filter(({ event }) => event === "egress_deny");
    expect(denials).toMatchObject([{ signal }]);
  });
});

test("strict: the second request of a connection is judged like the first", async () => {
  await withStrictWeb(async (network, heard) => {
    const connection = await network.tcp("198.18.0.1", 80);
    await connection.write(http("web.test"));
    expect(await connection.read()).toContain("200 OK");
    await connection.write(http("evil.test"));
    await ended(connection);
    expect(heard()).not.toContain("evil");
  });
});

test("strict: a slow beginning does not get past the look at it", async () => {
  await withStrictWeb(async (network, heard) => {
    const connection = await network.tcp("198.18.0.1", 80);
    await connection.write("GET / HTTP/1.1\r\nHost: evil");
    await ended(connection);
    expect(heard()).toBe("");
  });
});

test("strict: unlisted names and bare addresses are refused at once, and nobody is asked for them", async () => {
  await withStrictWeb(async (network) => {
    expect(await network.lookUp("unlisted.test")).toEqual([]);
    expect(network.asked).toEqual([]);
    for (const dst of [
      "198.18.0.3",
      "93.184.216.34",
      "2606:4700::99",
      "::ffff:10.0.0.1",
      "127.0.0.1",
    ]) {
      expect((await network.tcp(dst, 80)).answer, dst).toMatchObject({ ok: false, code: "denied" });
    }
    const events = await network.events();
    expect(events.filter(({ event }) => event === "egress_dns_deny")).toMatchObject([
      { host: "unlisted.test", signal: "resolver-denied" },
    ]);
    expect(events.at(-1)).toMatchObject({ event: "egress_loop_guard", dst: "127.0.0.1:80" });
    expect(events.at(-2)).toMatchObject({ event: "egress_internal_deny", dst: "10.0.0.1:80" });
  });
});

test("guarded: rebinding to an inside address is denied at connect time", async () => {
  await withNetwork({ names: { "rebind.test": ["10.0.0.7"] } }, async (network) => {
    expect(await network.lookUp("rebind.test")).toEqual(["10.0.0.7"]);
    const { answer } = await network.tcp("10.0.0.7", 80);
    expect(answer).toMatchObject({ ok: false, code: "denied" });
    expect((await network.events()).at(-1)).toMatchObject({
      event: "egress_internal_deny",
      host: "rebind.test",
      internal: true,
    });
  });
});

test("QUIC is refused, and so is DNS by another way", async () => {
  await withNetwork({}, async (network) => {
    expect((await network.udp("93.184.216.34", 443)).answer).toMatchObject({ code: "denied" });
    expect((await network.udp("8.8.8.8", 53)).answer).toMatchObject({ code: "denied" });
    expect((await network.udp("10.0.0.1", 123)).answer).toMatchObject({ code: "denied" });
    const signals = (await network.events()).map(({ event, signal }) => [event, signal]);
    expect(signals.slice(1)).toEqual([
      ["egress_udp_deny", "quic-udp443"],
      ["egress_udp_deny", "foreign-resolver"],
      ["egress_udp_internal_deny", "denied"],
    ]);
  });
});

test("TLS to a listed name is spliced; another name, or none, is denied in strict", async () => {
  const server = createTlsServer({}, () => {});
  server.on("tlsClientError", () => {});
  const port = await listen(server);
  const policy = {
    mode: "strict" as const,
    allow: rules("tls.test"),
    hostMap: mapped({ "tls.test": port }),
  };
  await withNetwork({ policy }, async (network) => {
    await network.lookUp("tls.test");
    for (const [servername, passes] of [
      ["tls.test", true],
      ["evil.test", false],
      ["", false],
    ] as const) {
      const hello = await helloFor(servername);
      const connection = await network.tcp("198.18.0.1", 443);
      await connection.write(hello);
      // The server has no certificate: its alert is proof that the hello reached it.
      if (passes) expect((await connection.read()).charCodeAt(0)).toBe(21);
      else await ended(connection);
      connection.stream.reset();
    }
    const denials = (await network.events()).filter(({ event }) => event === "egress_deny");
    expect(denials.map(({ signal }) => signal)).toEqual([
      "name-destination-mismatch",
      "direct-ip-no-sni",
    ]);
  });
  await new Promise((resolve) => server.close(resolve));
});

async function helloFor(servername: string): Promise<Buffer> {
  let seen: (bytes: Buffer) => void = () => {};
  const first = new Promise<Buffer>((resolve) => {
    seen = resolve;
  });
  let hello: Buffer = Buffer.alloc(0);
  await withServer(
    (socket) => socket.once("data", seen),
    async (port) => {
      const socket = connectTls({
        port,
        host: "127.0.0.1",
        servername,
        checkServerIdentity: () => undefined,
      });
      socket.on("error", () => {});
      hello = await first;
      socket.destroy();
    },
  );
  return hello;
}

test("a swap host goes to the interceptor from its first byte; one at a foreign address is denied", async () => {
  const flows: string[] = [];
  const interceptor: Interceptor = {
    caCertificatePem: "",
    hosts: ["api.test"],
    covers: (name) => name === "api.test",
    async intercept(_op, flow) {
      const upstream = await flow.dial();
      flow.client.once("data", (bytes: Buffer) => {
        flows.push(`${flow.name} ${bytes[0]}`);
        upstream.end("to upstream");
        flow.client.end("from interceptor");
      });
      await new Promise((resolve) => flow.client.once("finish", resolve));
      flow.audit({ event: "egress_swap", host: flow.name, dst: "", reason: "swapped" });
      await new Promise((resolve) => upstream.once("finish", resolve));
    },
  };
  let upstreamHeard: (text: string) => void = () => {};
  const upstream = new Promise<string>((resolve) => {
    upstreamHeard = resolve;
  });
  await withServer(
    (socket) => socket.on("data", (data) => upstreamHeard(data.toString())),
    async (port) => {
      const policy = {
        mode: "guarded" as const,
        hostMap: mapped({ "api.test": port, "other.test": port }),
      };
      await withNetwork({ policy, interceptor }, async (network) => {
        await network.lookUp("api.test");
        const hello = await helloFor("api.test");
        const one = await network.tcp("198.18.0.1", 443);
        await one.write(hello);
        expect(await one.readAll()).toBe("from interceptor");
        expect(await network.op.race(upstream)).toBe("to upstream");
        const two = await network.tcp("198.18.0.2", 443);
        await two.write(hello);
        await ended(two);
        expect(flows).toEqual(["api.test 22"]);
        const events = await network.events();
        expect(events.map(({ event }) => event)).toContain("egress_swap");
        expect(events.find(({ event }) => event === "egress_deny")).toMatchObject({
          signal: "name-destination-mismatch",
        });
      });
    },
  );
});
