import { createSocket } from "node:dgram";
import fc from "fast-check";
import { expect, test } from "vitest";
import { addressOf, parseAddress } from "../../../src/egress/address.ts";
import { dnsType, readDnsQuery, writeDnsAnswer } from "../../../src/egress/dns-message.ts";
import { addressRecord } from "../../../src/egress/dns-records.ts";
import { parseHosts } from "../../../src/egress/hosts-file.ts";
import type { NameResolver } from "../../../src/egress/resolver.ts";
import { reversedAddress } from "../../../src/egress/reverse-name.ts";
import { rules } from "../../support/egress-policy.ts";
import { inTime } from "../channel/sessions.ts";
import { addressesOf, codeOf, query, withNetwork } from "./guest-network.ts";

test("a name is resolved, its case kept in the answer, and asked once while it lives", async () => {
  await withNetwork({ names: { "a.test": ["93.184.216.34"] } }, async (network) => {
    const answer = await network.dns("A.tEsT");
    expect(addressesOf(answer)).toEqual(["93.184.216.34"]);
    expect(answer.includes(Buffer.from("tEsT"))).toBe(true);
    expect(await network.lookUp("a.test")).toEqual(["93.184.216.34"]);
    expect(network.asked).toEqual(["a.test"]);
    expect(codeOf(await network.dns("none.test"))).toBe(3);
  });
});

test("records that would hide a name are never given, nor asked for", async () => {
  await withNetwork({ names: { "a.test": ["93.184.216.34"] } }, async (network) => {
    for (const type of [dnsType.https, dnsType.svcb]) {
      const answer = await network.dns("a.test", type);
      expect([codeOf(answer), answer.readUInt16BE(6)]).toEqual([0, 0]);
    }
    expect(network.asked).toEqual([]);
  });
});

test("tunnels in strict: no name below an unlisted one is passed on, of any type", async () => {
  const policy = { mode: "strict" as const, allow: rules("a.test") };
  await withNetwork({ policy }, async (network) => {
    const data = "mzxw6ytboi".repeat(5);
    for (const name of [`${data}.evil.test`, `${data}.a.test`, "1.0.0.10.in-addr.arpa"]) {
      for (const type of [dnsType.a, dnsType.txt, dnsType.ptr, 10, 255]) {
        expect(codeOf(await network.dns(name, type)), `${name} ${type}`).toBe(5);
      }
    }
    expect(network.asked).toEqual([]);
    await network.dns("a.test", dnsType.txt);
    expect(network.asked).toEqual(["a.test"]);
  });
});

test("the guest's own name and localhost are answered here, under every policy, without a denial", async () => {
  const policy = { mode: "strict" as const };
  await withNetwork({ policy, guestName: "Box" }, async (network) => {
    for (const name of ["localhost", "x.y.localhost", "localhost.localdomain"]) {
      expect(await network.lookUp(name), name).toEqual(["127.0.0.1"]);
      const six = await network.dns(name, dnsType.aaaa);
      expect([codeOf(six), six.at(-1)], name).toEqual([0, 1]);
      expect(codeOf(await network.dns(name, dnsType.txt)), name).toBe(0);
    }
    for (const type of [dnsType.a, dnsType.aaaa]) {
      const answer = await network.dns("box", type);
      expect([codeOf(answer), answer.readUInt16BE(6)]).toEqual([0, 0]);
    }
    // Neither suffixes nor what only ends like them.
    for (const name of [
      "notlocalhost",
      "localhost.evil.test",
      "a.box",
      "x.localhost.localdomain",
    ]) {
      expect(codeOf(await network.dns(name)), name).toBe(5);
    }
    expect(network.asked).toEqual([]);
    const denied = (await network.events()).filter(({ event }) => event === "egress_dns_deny");
    expect(denied).toHaveLength(4);
  });
});

test("a service of a listed host has no records, and is asked of nobody", async () => {
  const policy = { mode: "strict" as const, allow: rules("mirror.test", "port.test:80") };
  await withNetwork({ policy }, async (network) => {
    for (const name of ["_http._tcp.mirror.test", "_https._tcp.port.test"]) {
      const answer = await network.dns(name, dnsType.srv);
      expect([codeOf(answer), answer.readUInt16BE(6)], name).toEqual([0, 0]);
    }
    for (const name of ["_http._tcp.evil.test", "data.mirror.test", "_a._tcp.data.mirror.test"]) {
      expect(codeOf(await network.dns(name, dnsType.srv)), name).toBe(5);
    }
    expect(network.asked).toEqual([]);
  });
});

test("a refusal says to those who ask with EDNS that a policy is the reason", () => {
  const plain = query("a.test", dnsType.a);
  plain[11] = 1;
  const edns = Buffer.concat([plain, Buffer.from([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0])]);
  const read = readDnsQuery(edns);
  if (read === null) throw new TypeError("not a query");
  const refused = writeDnsAnswer(read, 5, [], 1232);
  expect(refused.subarray(-17)).toEqual(
    Buffer.from([0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2, 0, 18]),
  );
  expect(writeDnsAnswer(read, 0, [], 1232)).toHaveLength(refused.length - 6);
});

test.each(["good.test#.evil", "a%2eb", "a@b", `${"x".repeat(63)}.y z`])(
  "a question for %j is malformed, and asked of nobody",
  async (name) => {
    await withNetwork({}, async (network) => {
      expect([1, 3]).toContain(codeOf(await network.dns(name)));
      expect(network.asked).toEqual([]);
    });
  },
);

test("names of inside addresses are not told", async () => {
  await withNetwork({}, async (network) => {
    for (const name of [
      "1.0.0.10.in-addr.arpa",
      "0.10.in-addr.arpa",
      "254.169.254.169.in-addr.arpa",
    ]) {
      expect(codeOf(await network.dns(name, dnsType.ptr)), name).toBe(5);
    }
    expect(codeOf(await network.dns("8.8.8.8.in-addr.arpa", dnsType.ptr))).toBe(3);
    expect(network.asked).toEqual(["8.8.8.8.in-addr.arpa"]);
  });
});

test("another resolver than ours is answered by ours, and noted", async () => {
  await withNetwork({ names: { "a.test": ["93.184.216.34"] } }, async (network) => {
    expect(addressesOf(await network.dns("a.test", dnsType.a, "8.8.8.8"))).toEqual([
      "93.184.216.34",
    ]);
    expect((await network.events()).at(-1)).toMatchObject({
      event: "egress_dns_allow",
      signal: "foreign-resolver",
    });
  });
});

test("DNS over TCP is served, several questions on one connection", async () => {
  await withNetwork({ names: { "a.test": ["93.184.216.34"] } }, async (network) => {
    const connection = await network.tcp("1.1.1.1", 53);
    expect(connection.answer.ok).toBe(true);
    const one = query("a.test", dnsType.a, 1);
    const two = query("none.test", dnsType.a, 2);
    const frame = (bytes: Buffer) => Buffer.concat([Buffer.from([0, bytes.length]), bytes]);
    await connection.write(Buffer.concat([frame(one), frame(two)]));
    connection.stream.end();
    const all = Buffer.from(await connection.readAll(), "latin1");
    const first = all.subarray(2, 2 + all.readUInt16BE(0));
    const second = all.subarray(2 + first.length + 2);
    const codes = new Map(
      [first, second].map((answer) => [answer.readUInt16BE(0), codeOf(answer)]),
    );
    expect(codes).toEqual(
      new Map([
        [1, 0],
        [2, 3],
      ]),
    );
  });
});

test("an answer that does not fit UDP says so", () => {
  const records = Array.from({ length: 64 }, (_, at) =>
    addressRecord(addressOf(Uint8Array.of(1, 2, 3, at)), 60),
  );
  const asked = readDnsQuery(query("a.test", dnsType.a));
  if (asked === null) throw new TypeError("no query");
  const cut = writeDnsAnswer(asked, 0, records, asked.udpBytes);
  expect([cut.length <= 512, cut.readUInt16BE(2) & 0x0200, cut.readUInt16BE(6)]).toEqual([
    true,
    0x0200,
    0,
  ]);
  expect(addressesOf(writeDnsAnswer(asked, 0, records, 65_535))).toHaveLength(64);
});

test("a resolver that does not answer or fails is a server failure, and the guest lives", async () => {
  const resolver: NameResolver = {
    resolve: async (_op, name) => {
      if (name === "throws.test") throw new TypeError("broken");
      return { kind: "failed", reason: "the resolver failed (ESERVFAIL)" };
    },
    close: () => {},
  };
  await withNetwork({ resolver }, async (network) => {
    expect(codeOf(await network.dns("a.test"))).toBe(2);
    expect(codeOf(await network.dns("throws.test"))).toBe(2);
    expect((await network.events()).at(-1)).toMatchObject({ event: "egress_dns_reply_error" });
  });
});

test("the resolvers of a policy are asked over the wire", async () => {
  const server = createSocket("udp4");
  server.on("message", (message, from) => {
    const asked = readDnsQuery(message);
    const address = parseAddress("93.184.216.34");
    if (asked === null || address === null) return;
    server.send(
      writeDnsAnswer(asked, 0, [addressRecord(address, 60)], 512),
      from.port,
      from.address,
    );
  });
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
  const { systemResolver } = await import("../../../src/egress/resolver.ts");
  const resolver = systemResolver([`127.0.0.1:${server.address().port}`]);
  await inTime(async (op) => {
    expect(await resolver.resolve(op, "wire.test", dnsType.a)).toMatchObject({
      kind: "records",
      records: [{ type: dnsType.a, ttl: 60, data: Uint8Array.of(93, 184, 216, 34) }],
    });
  });
  resolver.close();
  server.close();
});

test("messages of any bytes are answered or dropped, never a throw", async () => {
  const near = fc
    .tuple(
      fc.constantFrom("a.test", "x", "a..b", `${"y".repeat(63)}.test`),
      fc.nat(70_000),
      fc.nat(300),
      fc.nat(255),
    )
    .map(([name, type, at, value]) => {
      const bytes = query(name, type & 0xffff);
      if (at < bytes.length) bytes[at] = value;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), near), (bytes) => {
      const asked = readDnsQuery(bytes);
      if (asked === null) return;
      const answer = writeDnsAnswer(asked, 1, [], asked.udpBytes);
      expect(answer.readUInt16BE(0)).toBe(asked.id);
      expect(answer.length).toBeLessThanOrEqual(512);
    }),
    { numRuns: 3_000 },
  );
});

test("the hosts file: comments, several names, nonsense", () => {
  const names = parseHosts(
    "127.0.0.1 localhost\n# 1.2.3.4 no\n93.184.216.34\tA.Test b.test # x\nnonsense y\n::1 a.test\n",
  );
  expect(names.get("a.test")?.map(({ text }) => text)).toEqual(["93.184.216.34", "::1"]);
  expect(names.has("no")).toBe(false);
  expect(names.has("y")).toBe(false);
});

test("reverse names", () => {
  expect(reversedAddress("4.3.2.1.in-addr.arpa")?.text).toBe("1.2.3.4");
  const one = `1.${"0.".repeat(31)}ip6.arpa`;
  expect(reversedAddress(one)?.text).toBe("::1");
  expect(reversedAddress("3.2.1.in-addr.arpa")).toBeNull();
});
