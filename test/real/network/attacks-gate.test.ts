import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Canary, startCanary } from "../../fixtures/canary.ts";
import { keptCases } from "../../fixtures/gate-cases/kept.ts";
import {
  type AttackBench,
  type AttackedGuest,
  openAttackBench,
} from "../../support/attacked-guest.ts";

/** Hears everything, and agrees to everything once it has heard it. */
let server: Canary;
let attacks: AttackBench;
let guest: AttackedGuest;
const port = "8081";

beforeAll(async () => {
  server = await startCanary((socket) => {
    socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    socket.on("end", () => socket.end());
  });
  attacks = await openAttackBench();
  guest = await attacks.boot(
    { egressHost: [`good.test=127.0.0.1:${server.port}`, `port.test=127.0.0.1:${server.port}`] },
    { spec: `agent: {egress: strict, allow: [good.test, "port.test:${port}"]}` },
  );
});
afterEach(async () => {
  await guest.isAlive();
  expect(server.heard).not.toContain("evil.test");
});
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  await attacks?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Bytes as the attacking program takes them on its command line. */
const quoted = (text: string) =>
  [...Buffer.from(text, "latin1")]
    .map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`)
    .join("");

const addresses = { "good.test": "198.18.0.1", "port.test": "198.18.0.2" } as const;

async function say(name: keyof typeof addresses, text: string): Promise<string> {
  const bytes = quoted(text.replaceAll("good.test", name));
  return (await guest.attack("say", `${addresses[name]}:${port}`, bytes)).trim();
}

// A second ClientHello needs a server that asks for it: test/real/egress/gate-readers.test.ts has several.
const fromHere = keptCases.filter(({ asksAgain }) => asksAgain !== true);

test.each(fromHere)("is reset: $what", async ({ steps }) => {
  const text = steps.filter((step) => typeof step === "string").join("");
  for (const name of ["good.test", "port.test"] as const) {
    const from = (await guest.audit()).length;
    expect(await say(name, text), name).toMatch(/reset$/);
    await expect
      .poll(async () => (await guest.audit()).slice(from).map(({ event }) => event))
      .toContain("egress_deny");
  }
});

test("a rule that names the port lets other protocols pass, a bare name does not", async () => {
  for (const text of [
    "EHLO me\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\0\0\0\x08\x04\xd2\x16\x2f",
  ]) {
    expect(await guest.attack("start", `${addresses["port.test"]}:${port}`, quoted(text))).toBe(
      "heard ok",
    );
    expect(await guest.attack("start", `${addresses["good.test"]}:${port}`, quoted(text))).toBe(
      "reset",
    );
  }
});

test("requests for the listed host are answered, so that the refusals above say something", async () => {
  const text = "X_Y / HTTP/1.1\r\nHost: good.test\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx";
  expect(await guest.attack("start", `${addresses["good.test"]}:${port}`, quoted(text))).toBe(
    "heard ok",
  );
  await expect.poll(() => server.heard).toContain("X_Y / HTTP/1.1");
  expect(server.heard).not.toContain("h2c");
});

test("the guest is called what its files say, and asks nobody for its own names", async () => {
  const files =
    "cat /etc/hostname; stat -c %a /etc/resolv.conf; cat /proc/sys/net/ipv4/ping_group_range";
  expect((await guest.shell(files)).split(/\s+/)).toEqual(["attacked", "644", "0", "2147483647"]);
  const from = (await guest.audit()).length;
  expect(await guest.attack("dns", "udp", "10.0.2.3:53", "attacked", "28")).toBe(
    "rcode 0 answers 0",
  );
  expect(await guest.attack("dns", "udp", "10.0.2.3:53", "x.localhost", "1")).toContain(
    "127.0.0.1",
  );
  expect(await guest.attack("dns", "udp", "10.0.2.3:53", "_http._tcp.good.test", "33")).toBe(
    "rcode 0 answers 0",
  );
  expect((await guest.audit()).slice(from)).toEqual([]);
});
