import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { MicroagentError } from "../../../src/base/errors.ts";
import { type Op, startOp } from "../../../src/base/op.ts";
import type { ChannelStream } from "../../../src/channel/stream.ts";
import { inTime, sessionPair, settle } from "./sessions.ts";

const forever = startOp("guest").op;

async function echo(stream: ChannelStream): Promise<void> {
  for (;;) {
    const piece = await stream.read(forever);
    if (piece === null) break;
    await stream.write(forever, piece);
  }
  stream.end();
}

async function readAll(op: Op, stream: ChannelStream): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const piece = await stream.read(op);
    if (piece === null) return Buffer.concat(parts);
    parts.push(piece);
  }
}

test("bytes come back as they were, on many streams at once, and nothing is left", async () => {
  const { host, guest } = sessionPair((stream) => void echo(stream).catch(() => {}));
  await inTime(async (op) => {
    const one = async (index: number) => {
      const sent = Buffer.alloc(300_000 + index, index);
      const stream = await host.open(op, sent.subarray(0, 10));
      const [back] = await Promise.all([
        readAll(op, stream),
        stream.write(op, sent.subarray(10)).then(() => stream.end()),
      ]);
      expect(createHash("sha256").update(back).digest("hex")).toBe(
        createHash("sha256").update(sent).digest("hex"),
      );
    };
    await Promise.all(Array.from({ length: 40 }, (_, index) => one(index)));
    await settle();
    expect(host.streamCount).toBe(0);
    expect(guest.streamCount).toBe(0);
  });
  host.close();
});

test("a reader that does not read stops the writer at the window", async () => {
  let written = 0;
  const { host } = sessionPair((stream) => {
    void (async () => {
      for (;;) {
        await stream.write(forever, Buffer.alloc(64 * 1024));
        written += 64 * 1024;
      }
    })().catch(() => {});
  });
  await inTime(async (op) => {
    const stream = await host.open(op, Buffer.from("x"));
    await settle();
    await settle();
    expect(written).toBe(1024 * 1024);
    let read = 0;
    while (read < 3 * 1024 * 1024) read += (await stream.read(op))?.length ?? 0;
    await settle();
    expect(written).toBeGreaterThanOrEqual(3 * 1024 * 1024);
    expect(written).toBeLessThanOrEqual(4 * 1024 * 1024 + 512 * 1024);
  });
  host.close();
});

test("a peer that does not read stops us, and the other streams go on", async () => {
  const { host } = sessionPair((stream) => {
    if (stream.id !== 1) void echo(stream).catch(() => {});
  });
  await inTime(async (op) => {
    const stuck = await host.open(op);
    const blocked = stuck.write(op, Buffer.alloc(3 * 1024 * 1024));
    let done = false;
    blocked.then(
      () => (done = true),
      () => {},
    );
    const lively = await host.open(op, Buffer.from("hello"));
    expect(Buffer.from((await lively.read(op)) ?? []).toString()).toBe("hello");
    await settle();
    expect(done).toBe(false);
    stuck.reset();
    await expect(blocked).rejects.toMatchObject({ code: "closed" });
  });
  host.close();
});

test("closing settles every pending call with the reason, and every later one", async () => {
  const { host } = sessionPair(() => {});
  await inTime(async (op) => {
    const stream = await host.open(op, Buffer.from("x"));
    const reason = new MicroagentError("machine_killed", "The VMM was killed");
    const pending = [
      stream.read(op),
      stream.write(op, Buffer.alloc(2 * 1024 * 1024)),
      host.ping(op),
    ];
    const outcomes = Promise.allSettled(pending);
    host.close(reason);
    for (const outcome of await outcomes) {
      expect(outcome).toEqual({ status: "rejected", reason });
    }
    expect(await host.closed).toBe(reason);
    await expect(stream.read(op)).rejects.toBe(reason);
    await expect(stream.write(op, Buffer.from("x"))).rejects.toBe(reason);
    await expect(host.open(op)).rejects.toBe(reason);
    await expect(host.ping(op)).rejects.toBe(reason);
    stream.end();
    stream.finish();
    stream.reset();
    host.close();
  });
});

test("bytes that arrived before the end can still be read", async () => {
  const { host, guest } = sessionPair((stream) => {
    void stream
      .write(forever, Buffer.from("last words"))
      .then(() => setImmediate(() => guest.close()));
  });
  await inTime(async (op) => {
    const stream = await host.open(op, Buffer.from("x"));
    expect((await host.closed).code).toBe("channel_closed");
    expect(Buffer.from((await stream.read(op)) ?? []).toString()).toBe("last words");
    await expect(stream.read(op)).rejects.toMatchObject({ code: "channel_closed" });
  });
});

test("a cancelled read leaves the stream usable, a cancelled half-written write resets it", async () => {
  const { host } = sessionPair((stream) => {
    void stream.read(forever).then(() => stream.write(forever, Buffer.from("pong")));
  });
  await inTime(async (op) => {
    const stream = await host.open(op);
    const short = startOp("short", { timeoutMs: 5 });
    await expect(stream.read(short.op)).rejects.toMatchObject({ code: "timeout" });
    await stream.write(op, Buffer.from("ping"));
    expect(Buffer.from((await stream.read(op)) ?? []).toString()).toBe("pong");
    const shorter = startOp("shorter", { timeoutMs: 5 });
    await expect(stream.write(shorter.op, Buffer.alloc(8 * 1024 * 1024))).rejects.toMatchObject({
      code: "timeout",
    });
    await expect(stream.read(op)).rejects.toMatchObject({ code: "closed" });
    expect(host.streamCount).toBe(0);
  });
  host.close();
});

test("half-close: our end does not stop the peer's half", async () => {
  const { host } = sessionPair((stream) => {
    void (async () => {
      const all = await readAll(forever, stream);
      await stream.write(forever, Buffer.from(`got ${all.length}`));
      stream.end();
    })();
  });
  await inTime(async (op) => {
    const stream = await host.open(op, Buffer.from("four"));
    stream.end();
    await expect(stream.write(op, Buffer.from("x"))).rejects.toMatchObject({ code: "closed" });
    expect((await readAll(op, stream)).toString()).toBe("got 4");
  });
  host.close();
});

test("no more streams are opened than the peer can hold; the others wait their turn", async () => {
  const open: ChannelStream[] = [];
  const { host } = sessionPair((stream) => open.push(stream));
  await inTime(async (op) => {
    const opened: Promise<ChannelStream>[] = [];
    for (let n = 0; n < 1000; n++) opened.push(host.open(op));
    await settle();
    expect(open.length).toBe(640);
    for (const stream of open.slice(0, 400)) stream.reset();
    await Promise.all(opened);
    await settle();
    expect(open.length).toBe(1000);
  });
  host.close();
});

test("pings are answered by both sides", async () => {
  const { host, guest } = sessionPair(() => {});
  await inTime(async (op) => {
    await Promise.all([host.ping(op), host.ping(op), guest.ping(op)]);
  });
  host.close();
});

test("an open that is given up before its first bytes have left leaves nothing behind", async () => {
  const { host } = sessionPair(() => {});
  await inTime(async () => {
    const short = startOp("short", { timeoutMs: 10 });
    await expect(host.open(short.op, Buffer.alloc(2 * 1024 * 1024))).rejects.toMatchObject({
      code: "timeout",
    });
    expect(host.streamCount).toBe(0);
  });
  host.close();
});
