import { duplexPair } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { startOp } from "../../../src/base/op.ts";
import { encodeHeader, type FrameHeader } from "../../../src/channel/frame.ts";
import { Session } from "../../../src/channel/session.ts";
import { checkProperty, chunksOf, dataFrame, inTime, rawGuest, settle } from "./sessions.ts";

const frame = (type: FrameHeader["type"], flags: number, streamId: number, length: number) =>
  encodeHeader({ type, flags, streamId, length });

test.each([
  ["a wrong version", Buffer.alloc(12, 1), 'version "1"'],
  ["a length over the cap", frame(0, 0, 1, 0xffff_ffff), 'data length "4294967295"'],
  [
    "more than the window",
    Buffer.concat([dataFrame(1, Buffer.alloc(1024 * 1024)), dataFrame(1, Buffer.from("x"))]),
    "sent 1 bytes on stream 1, wanted at most 0, its window",
  ],
  [
    "a stream nobody opened",
    dataFrame(3, Buffer.from("x")),
    "used stream 3, which was never opened",
  ],
  ["opening one of our ids", frame(1, 1, 7, 0), "opened stream 7, an id that is ours to open"],
  ["a pong nobody asked for", frame(2, 2, 0, 9), "answered ping 9, which was never sent"],
  [
    "data after the end",
    Buffer.concat([frame(1, 4, 1, 0), dataFrame(1, Buffer.from("x"))]),
    "sent 1 bytes on stream 1 after its end",
  ],
  ["the end twice", Buffer.concat([frame(1, 4, 1, 0), frame(1, 4, 1, 0)]), "ended stream 1 twice"],
  [
    "a window beyond reason",
    Buffer.concat([frame(1, 0, 1, 0xffff_ffff), frame(1, 0, 1, 0xffff_ffff)]),
    "raised the window of stream 1 beyond 4 GiB",
  ],
])("%s ends the session and says what was wrong", async (_name, bytes, message) => {
  await inTime(async (op) => {
    const { host, link, sent } = rawGuest();
    const stream = await host.open(op, Buffer.from("request\n"));
    link.write(bytes);
    const reason = await host.closed;
    expect(reason).toMatchObject({
      code: "protocol_violation",
      message: expect.stringContaining(message),
    });
    await expect(host.open(op)).rejects.toBe(reason);
    await settle();
    // The farewell names the fault: go-away with code 1.
    expect(sent().subarray(-12)).toEqual(frame(3, 0, 0, 1));
    stream.reset();
  });
});

test.each([
  ["its farewell", frame(3, 0, 0, 2)],
  ["two farewells", Buffer.concat([frame(3, 0, 0, 2), frame(3, 0, 0, 2)])],
])(
  "a guest that opens streams behind %s, in the same write, opens none",
  async (_what, farewell) => {
    const [hostLink, link] = duplexPair();
    for (const each of [hostLink, link]) each.on("error", () => {});
    link.resume();
    let opened = 0;
    const onStream = () => {
      opened += 1;
    };
    const host = new Session(hostLink, "client", { onStream });
    link.write(Buffer.concat([farewell, frame(1, 1, 2, 0), dataFrame(4, Buffer.from("{}"), 1)]));
    await expect(host.closed).resolves.toMatchObject({ code: "channel_closed" });
    await settle();
    expect(opened).toBe(0);
    expect(host.streamCount).toBe(0);
  },
);

test("ten thousand stream opens are refused one by one and nothing is kept", async () => {
  await inTime(async (op) => {
    const { host, link, sent } = rawGuest();
    const opens = Buffer.concat(
      Array.from({ length: 10_000 }, (_, n) => frame(1, 1, 2 + 2 * n, 0)),
    );
    link.write(opens);
    link.write(dataFrame(2, Buffer.from("data for a refused stream")));
    link.write(frame(2, 1, 0, 77));
    await settle();
    expect(host.streamCount).toBe(0);
    const answers = sent();
    expect(answers.length).toBe(10_001 * 12);
    expect(answers.subarray(0, 12)).toEqual(frame(1, 8, 2, 0));
    expect(answers.subarray(-12)).toEqual(frame(2, 2, 0, 77));
    // Still good for honest work.
    const stream = await host.open(op, Buffer.from("x"));
    link.write(Buffer.concat([dataFrame(stream.id, Buffer.from("fine"))]));
    expect(Buffer.from((await stream.read(op)) ?? []).toString()).toBe("fine");
    host.close();
  });
});

test("a guest that floods us with pings and reads nothing is no longer read", async () => {
  const { host, link } = rawGuest();
  link.pause();
  const pings = Buffer.concat(Array.from({ length: 20_000 }, (_, n) => frame(2, 1, 0, n)));
  let taken = 0;
  for (let n = 0; n < 100; n++) link.write(pings, () => (taken += 1));
  await settle();
  // 24 MB of pings were offered; about one megabyte of answers is the most we hold.
  expect(taken).toBeGreaterThan(0);
  expect(taken).toBeLessThan(10);
  expect(host.failure).toBeNull();
  link.resume();
  await inTime(async (op) => {
    while (taken < 100) {
      op.check();
      await settle();
    }
  });
  host.close();
});

test("an endless stream to a slow reader is bounded by the window, whatever the size of its frames", async () => {
  await inTime(async (op) => {
    const { host, link } = rawGuest();
    const stream = await host.open(op, Buffer.from("x"));
    const ones = Buffer.concat(
      Array.from({ length: 50_000 }, () => dataFrame(1, Buffer.from("y"))),
    );
    link.write(ones);
    await settle();
    let pieces = 0;
    let bytes = 0;
    while (bytes < 50_000) {
      bytes += (await stream.read(op))?.length ?? 0;
      pieces += 1;
    }
    // One-byte frames were put together instead of each pinning a chunk.
    expect(pieces).toBeLessThan(10);
    host.close();
  });
});

test("random bytes at any point end in one named error or are waited for, never in a crash", async () => {
  await checkProperty(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 400 }),
      fc.array(fc.nat(), { maxLength: 10 }),
      fc.boolean(),
      async (garbage, cuts, closes) => {
        const { host, link } = rawGuest();
        const { op, end } = startOp("fuzz");
        const stream = await host.open(op, Buffer.from("x"));
        const read = stream.read(op).then(
          () => null,
          (error: unknown) => error,
        );
        for (const chunk of chunksOf(Buffer.from(garbage), cuts)) link.write(chunk);
        if (closes) link.destroy();
        await settle();
        host.close();
        const reason = await host.closed;
        expect(["protocol_violation", "channel_closed", "closed"]).toContain(reason.code);
        const error = await read;
        if (error !== null) expect(error).toMatchObject({ code: expect.any(String) });
        end();
      },
    ),
    60,
  );
});

const hostileFrame = fc
  .record({
    type: fc.constantFrom(0, 0, 1, 1, 1, 2, 3),
    flags: fc.constantFrom(0, 0, 0, 1, 2, 4, 8, 5, 6, 15),
    streamId: fc.constantFrom(0, 1, 1, 1, 2, 3, 4, 0xffff_fffe),
    length: fc.oneof(fc.nat(64), fc.constantFrom(0, 256 * 1024, 1024 * 1024 + 1, 0xffff_ffff)),
    body: fc.uint8Array({ maxLength: 64 }),
  })
  .map(({ type, flags, streamId, length, body }) => {
    const header = encodeHeader({ type: type as FrameHeader["type"], flags, streamId, length });
    return Buffer.concat([header, body]);
  });

test("random frames in any order never crash, hang or leave a call unsettled", async () => {
  await checkProperty(
    fc.asyncProperty(
      fc.array(hostileFrame, { maxLength: 30 }),
      fc.array(fc.nat(), { maxLength: 10 }),
      async (frames, cuts) => {
        const { host, link } = rawGuest();
        const { op, end } = startOp("fuzz");
        const streams = await Promise.all([host.open(op, Buffer.from("a")), host.open(op)]);
        const calls = streams.flatMap((stream) => [
          stream.read(op),
          stream.write(op, Buffer.alloc(600_000)),
        ]);
        const settled = Promise.allSettled([...calls, host.ping(op)]);
        for (const chunk of chunksOf(Buffer.concat(frames), cuts)) link.write(chunk);
        await settle();
        host.close();
        await settled;
        expect(host.streamCount).toBe(0);
        end();
      },
    ),
    80,
  );
});
