import { duplexPair } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isMicroagentError } from "../../../src/base/errors.ts";
import { startOp } from "../../../src/base/op.ts";
import { guestHandshake, hostHandshake } from "../../../src/channel/handshake.ts";
import { checkProperty, chunksOf, inTime } from "./sessions.ts";

const session = "00112233445566778899aabbccddeeff";
const good = { v: 1, session, agent: "0.1.0", kernel: "6.1.192", arch: "x86_64", uptime_ms: 212 };

async function answered(bytes: Uint8Array | null): Promise<unknown> {
  const [host, guest] = duplexPair();
  guest.resume();
  if (bytes === null) guest.once("data", () => host.destroy());
  else guest.write(bytes);
  try {
    return await inTime(async (op) => await hostHandshake(op, host, session));
  } catch (error) {
    if (!isMicroagentError(error)) throw error;
    return { code: error.code, message: error.message };
  }
}

const line = (value: unknown) => Buffer.from(`MICROAGENT ${JSON.stringify(value)}\n`);

test("both sides agree, and what follows the line stays in the link", async () => {
  const [host, guest] = duplexPair();
  await inTime(async (op) => {
    guest.write("");
    const [hello] = await Promise.all([
      hostHandshake(op, host),
      guestHandshake(op, guest, () => ({ agent: "9", kernel: "6.1", arch: "x86_64", uptimeMs: 5 })),
    ]);
    expect(hello).toMatchObject({ agent: "9", kernel: "6.1", arch: "x86_64", uptimeMs: 5 });
    expect(hello.session).toMatch(/^[0-9a-f]{32}$/);
  });
});

test("bytes behind the line are not lost, however the answer is cut", async () => {
  await checkProperty(
    fc.asyncProperty(
      fc.array(fc.nat(), { maxLength: 8 }),
      fc.uint8Array({ maxLength: 50 }),
      async (cuts, rest) => {
        const [host, guest] = duplexPair();
        for (const chunk of chunksOf(Buffer.concat([line(good), rest]), cuts)) guest.write(chunk);
        const hello = await inTime(async (op) => await hostHandshake(op, host, session));
        expect(hello.uptimeMs).toBe(212);
        guest.end();
        const left: Buffer[] = [];
        for await (const chunk of host) left.push(chunk as Buffer);
        expect(Buffer.concat(left)).toEqual(Buffer.from(rest));
      },
    ),
    30,
  );
});

test("the guest skips whatever comes before the host's line", async () => {
  const [host, guest] = duplexPair();
  host.write('boot noise\nMICROAGENT nonsense\nMICROAGENT {"v":1}\n');
  await inTime(async (op) => {
    const hello = { agent: "9", kernel: "6.1", arch: "x86_64", uptimeMs: 5 };
    await Promise.all([hostHandshake(op, host), guestHandshake(op, guest, () => hello)]);
  });
});

test.each([
  [
    "other bytes",
    Buffer.from("\u001b[2Jlogin: "),
    "protocol_violation",
    'The guest sent "\\x1b[2Jlogin: " before its handshake',
  ],
  [
    "an over-long line",
    Buffer.from(`MICROAGENT {"v":1,"pad":"${"x".repeat(5000)}"}\n`),
    "protocol_violation",
    "more than 4096 bytes",
  ],
  [
    "an endless line",
    Buffer.from(`MICROAGENT ${"x".repeat(100_000)}`),
    "protocol_violation",
    "more than 4096 bytes",
  ],
  [
    "no JSON",
    Buffer.from("MICROAGENT hello\n"),
    "protocol_violation",
    "wanted a version and a session",
  ],
  [
    "another session",
    line({ ...good, session: "f".repeat(32) }),
    "protocol_violation",
    `for session "${"f".repeat(32)}"`,
  ],
  ["another version", line({ ...good, v: 2 }), "agent_mismatch", 'speaks protocol version "2"'],
  [
    "half a hello",
    line({ v: 1, session }),
    "protocol_violation",
    "wanted agent, kernel, arch and uptime_ms",
  ],
  [
    "a refusal",
    line({ v: 1, session, error: { code: "x", message: "no\u001bproc" } }),
    "guest_refused",
    "cannot serve: no\\x1bproc",
  ],
  ["the end", null, "channel_closed", "before the handshake"],
])("an answer that is %s is refused", async (_name, bytes, code, message) => {
  expect(await answered(bytes)).toEqual({ code, message: expect.stringContaining(message) });
});

test("garbage never gets past the handshake and never hangs it", async () => {
  await checkProperty(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 6000 }), async (garbage) => {
      expect(await answered(Buffer.concat([garbage, Buffer.alloc(5000, "\n")]))).toHaveProperty(
        "code",
      );
    }),
    30,
  );
});

test("a guest that never answers is given up with the op", async () => {
  const [host] = duplexPair();
  const { op, end } = startOp("boot", { timeoutMs: 20 });
  await expect(hostHandshake(op, host)).rejects.toMatchObject({ code: "timeout" });
  expect(host.listenerCount("data")).toBe(0);
  end();
});
