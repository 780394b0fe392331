import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Canary, startCanary } from "../../fixtures/canary.ts";
import {
  type AttackBench,
  type AttackedGuest,
  openAttackBench,
} from "../../support/attacked-guest.ts";

const MiB = 1024 * 1024;

/** Takes connections and says nothing. */
let silent: Canary;
/** Sends for ever what it is asked for. */
let endless: Canary;
let poured = 0;
let attacks: AttackBench;
let guest: AttackedGuest;

beforeAll(async () => {
  silent = await startCanary();
  const block = Buffer.alloc(65_536, "more ");
  endless = await startCanary((socket) => {
    const more = () => {
      while (socket.writable && socket.write(block)) poured += block.length;
    };
    socket.once("data", more);
    socket.on("drain", more);
  });
  attacks = await openAttackBench();
  guest = await attacks.boot(
    {
      egressHost: [
        `silent.test=127.0.0.1:${silent.port}`,
        `endless.test=127.0.0.1:${endless.port}`,
      ],
      egressMaxTotalBytes: String(320 * MiB),
    },
    { spec: "agent: {egress: guarded}" },
  );
});
afterEach(async () => {
  await guest.isAlive();
  // Nothing is left open by whatever was tried.
  await expect.poll(() => silent.open + endless.open).toBe(0);
});
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  await attacks?.[Symbol.asyncDispose]();
  await silent?.[Symbol.asyncDispose]();
  await endless?.[Symbol.asyncDispose]();
});

const addressOf = async (name: string) =>
  (await guest.attack("dns", "udp", "10.0.2.3:53", name, "1")).split("\n").at(-1) ?? "";

/** Open sockets and pipes of this process. */
const handles = () => process.getActiveResourcesInfo().filter((name) => /TCP|Pipe/.test(name));

test("a flood gets as many connections as the cap allows, the rest is refused, and all of it goes", async () => {
  const address = await addressOf("silent.test");
  await guest.attack("flood", `${address}:80`, "1");
  const before = handles().length;
  for (let round = 0; round < 3; round++) {
    const said = await guest.attack("flood", `${address}:80`, "1500");
    const counts = Object.fromEntries(said.split("\n").map((line) => line.split(" ")));
    expect(Object.keys(counts).sort(), said).toEqual(["ok", "refused"]);
    expect(Number(counts.ok)).toBe(256);
    expect(Number(counts.refused)).toBe(1500 - 256);
    await expect.poll(() => silent.open).toBe(0);
  }
  await guest.audited({ event: "egress_cap_exceeded", host: "silent.test" });
  await expect.poll(() => handles().length).toBeLessThanOrEqual(before);
});

test("a flood while commands run does not keep them from running", async () => {
  const address = await addressOf("silent.test");
  const flooding = guest.attack("flood", `${address}:80`, "3000");
  await guest.isAlive();
  expect(await flooding).toContain("ok ");
});

test("a response that never ends fills nobody's memory while nobody reads it", async () => {
  const address = await addressOf("endless.test");
  poured = 0;
  const request = "GET / HTTP/1.0\\r\\n\\r\\n";
  const pouring = guest.attack("pour", `${address}:80`, request, "4", "4");
  await expect.poll(() => endless.open, { timeout: 60_000 }).toBe(4);
  expect(await pouring).toBe("ok 4");
  // What the kernels, the relay, the stream's window and the guest's buffers hold; not what a server can send.
  expect(poured).toBeGreaterThan(0);
  expect(poured).toBeLessThan(4 * 24 * MiB);
  await guest.audited({ event: "egress_close", host: "endless.test", reason: "reset" });
});

test("as many of them as there may be, beside a workload that fills its memory, cost neither anything", async () => {
  const address = await addressOf("endless.test");
  const request = "GET / HTTP/1.0\\r\\n\\r\\n";
  // Nearly all that a workload may have of 512 MiB.
  const holding = guest.attack("hold", "390", "20");
  const available = async () =>
    Number(/(\d+) kB/.exec(await guest.shell("grep MemAvailable /proc/meminfo"))?.[1]);
  await expect.poll(available, { timeout: 60_000 }).toBeLessThan(100_000);
  const before = endless.connections;
  const pouring = guest.attack("pour", `${address}:80`, request, "6", "256");
  await expect.poll(() => endless.connections, { timeout: 60_000 }).toBe(before + 256);
  await guest.isAlive();
  expect(await pouring).toBe("ok 256");
  expect(await holding).toBe("held 390");
  expect(await guest.shell("dmesg | grep -i 'out of memory'")).toBe("");
  expect(await guest.attack("tcp", `${address}:80`)).toBe(`${address}:80 ok`);
});

test("a response that never ends is ended by the cap on all traffic", async () => {
  const address = await addressOf("endless.test");
  poured = 0;
  const said = await guest.attack("drain", `${address}:80`, "GET / HTTP/1.0\\r\\n\\r\\n");
  const [counted, how] = said.split(" ");
  expect(how).toBe("reset");
  expect(Number(counted)).toBeGreaterThan(16 * MiB);
  expect(Number(counted)).toBeLessThanOrEqual(320 * MiB);
  await guest.audited({ event: "egress_cap_exceeded", host: "endless.test" });
  // It is used up for good.
  expect(await guest.attack("tcp", `${address}:80`)).toBe(`${address}:80 refused`);
});
