import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ByteStream, GuestCalls } from "../../../src/agent/guest-calls.ts";
import type { Op } from "../../../src/base/op.ts";
import { type NetworkGuest, openNetworkGuest } from "../../support/network-guest.ts";

const mib = 1024 * 1024;
const transferBytes = 64 * mib;

let guest: NetworkGuest;
/** What came in over connections to port 9000, as a digest of each. */
const received: string[] = [];
const unmediated: string[] = [];

const calls: GuestCalls = {
  async tcp(op, call, stream) {
    if (call.port === 81) return stream.refuse("refused", "Nobody listens there");
    if (call.port === 82) return stream.refuse("unreachable", "No way there");
    const bytes = stream.accept();
    if (call.port === 9000) await receive(op, bytes);
    else if (call.port === 9001) await send(op, bytes);
    else await upper(op, bytes);
  },
  async udp(op, _call, stream) {
    const bytes = stream.accept();
    for (let piece = await bytes.read(op); piece !== null; piece = await bytes.read(op)) {
      await bytes.write(op, piece);
    }
    bytes.end();
  },
  async dns(op, _call, stream) {
    const bytes = stream.accept();
    const query: Uint8Array[] = [];
    for (let piece = await bytes.read(op); piece !== null; piece = await bytes.read(op)) {
      query.push(piece);
    }
    await bytes.write(op, answerTo(Buffer.concat(query)));
    bytes.end();
  },
  async unmediated(_op, call) {
    unmediated.push(`${call.protocol} ${call.dst}`);
  },
};

/** Digests all that comes and says the digest, after the guest has closed its half. */
async function receive(op: Op, bytes: ByteStream): Promise<void> {
  const hash = createHash("sha256");
  for (let piece = await bytes.read(op); piece !== null; piece = await bytes.read(op)) {
    hash.update(piece);
  }
  const digest = hash.digest("hex");
  received.push(digest);
  await bytes.write(op, Buffer.from(`${digest}\n`));
  bytes.end();
}

const block = Buffer.alloc(mib, "0123456789abcdef");

async function send(op: Op, bytes: ByteStream): Promise<void> {
  for (let sent = 0; sent < transferBytes; sent += block.length) await bytes.write(op, block);
  bytes.end();
}

async function upper(op: Op, bytes: ByteStream): Promise<void> {
  const text: Uint8Array[] = [];
  for (let piece = await bytes.read(op); piece !== null; piece = await bytes.read(op)) {
    text.push(piece);
  }
  await bytes.write(op, Buffer.from(Buffer.concat(text).toString().toUpperCase()));
  bytes.end();
}

/** An A record 192.0.2.77 for whatever an A query asks, nothing for others. */
function answerTo(framed: Buffer): Buffer {
  const query = framed.subarray(2);
  const end = query.indexOf(0, 12) + 5;
  const isA = query.readUInt16BE(end - 4) === 1;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(isA ? 1 : 0, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(0, 10);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 77]);
  const answer = isA ? Buffer.concat([head, record]) : head;
  return Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 255]), answer]);
}

beforeAll(async () => {
  guest = await openNetworkGuest(calls);
});
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
});

test("the interface, its addresses, its routes and its name server are there", async () => {
  const text = await guest.shell("ip addr show eth0; ip route; ip -6 route; cat /etc/resolv.conf");
  expect(text).toContain("mtu 65520");
  expect(text).toContain("inet 10.0.2.15/24");
  expect(text).toContain("inet6 fd6d:6167:656e:7400::15/64");
  expect(text).toMatch(/default via 10\.0\.2\.2 dev eth0/);
  expect(text).toMatch(/default via fd6d:6167:656e:7400::2 dev eth0/);
  expect(text).toContain("nameserver 10.0.2.3");
});

test("a connection carries bytes and half-close", async () => {
  const text = await guest.shell("printf hello | nc 203.0.113.5 80");
  expect(text).toBe("HELLO");
});

test("refused is refused and unreachable is unreachable", async () => {
  const text = await guest.shell(
    "nc 203.0.113.5 81 2>&1 </dev/null || true; nc 203.0.113.5 82 2>&1 </dev/null || true",
  );
  expect(text).toMatch(/Connection refused[\s\S]*(No route to host|Host is unreachable)/);
});

test("a name is asked over the host", async () => {
  const text = await guest.shell("nslookup anything.example");
  expect(text).toContain("192.0.2.77");
});

test("the gateway answers a ping, nobody else does, and the host is told", async () => {
  const text = await guest.shell(
    "ping -c 1 10.0.2.2; ping -6 -c 1 fd6d:6167:656e:7400::2; ping -c 1 -W 1 198.51.100.9 || ping -6 -c 1 -W 1 2606:4700::1111 || true",
  );
  const received = [...text.matchAll(/(\d) packets received/g)].map(([, count]) => count);
  expect(received).toEqual(["1", "1", "0", "0"]);
  await expect.poll(() => unmediated).toContain("icmp 198.51.100.9");
  await expect.poll(() => unmediated).toContain("icmpv6 2606:4700::1111");
});

test("64 MiB arrive whole in both directions", async () => {
  const pattern = createHash("sha256");
  for (let sent = 0; sent < transferBytes; sent += mib) pattern.update(block);
  const expected = pattern.digest("hex");
  const down = await guest.shell("nc 203.0.113.5 9001 </dev/null | sha256sum");
  expect(down).toContain(expected);
  const zeros = createHash("sha256").update(Buffer.alloc(transferBytes)).digest("hex");
  const up = await guest.shell(
    "dd if=/dev/zero bs=65536 count=1024 2>/dev/null | nc 203.0.113.5 9000",
  );
  expect(up).toBe(`${zeros}\n`);
  expect(received).toContain(zeros);
});
