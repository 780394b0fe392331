import { type Duplex, duplexPair } from "node:stream";
import { expect, test } from "vitest";
import { limits } from "../../../src/base/limits.ts";
import { encodeHeader, initialWindowBytes } from "../../../src/channel/frame.ts";
import { Session } from "../../../src/channel/session.ts";
import type { ChannelStream } from "../../../src/channel/stream.ts";
import { dataFrame, inTime, sessionPair, settle } from "./sessions.ts";

const { inboundStreamsMax, streamWindowBytes, sharedWindowBytes, unreadBytesMax } = limits.channel;
const syn = 1;

/** A session whose peer is the test, and the streams that the peer opened. */
function opened(): { host: Session; link: Duplex; streams: ChannelStream[] } {
  const [hostLink, link] = duplexPair();
  hostLink.on("error", () => {});
  link.on("error", () => {});
  link.resume();
  const streams: ChannelStream[] = [];
  const host = new Session(hostLink, "client", { onStream: (stream) => streams.push(stream) });
  return { host, link, streams };
}

function unreadOf(streams: readonly ChannelStream[]): number {
  return streams.reduce((sum, { share }) => sum + share.unreadBytes, 0);
}

test("a peer that fills all its streams makes us hold a bounded number of bytes", async () => {
  const { host, link, streams } = opened();
  const body = Buffer.alloc(64 * 1024, 1);
  let most = 0;
  for (let at = 0; at < inboundStreamsMax; at++) {
    const id = 2 + 2 * at;
    link.write(encodeHeader({ type: 1, flags: syn, streamId: id, length: 0 }));
    for (let sent = 0; sent < initialWindowBytes; sent += body.length) {
      link.write(dataFrame(id, body));
    }
    await settle();
    most = Math.max(most, unreadOf(streams));
  }
  expect(streams.length).toBe(inboundStreamsMax);
  expect(most).toBeGreaterThan(unreadBytesMax - streamWindowBytes);
  expect(most).toBeLessThanOrEqual(unreadBytesMax);
  expect(host.failure).toBeNull();
  // Those that are left are whole.
  const [left] = streams.filter((stream) => !stream.failed);
  await inTime(async (op) => {
    let read = 0;
    while (read < initialWindowBytes) read += (await left?.read(op))?.length ?? 0;
    expect(read).toBe(initialWindowBytes);
  });
  host.close();
});

test("windows of streams that are read grow out of one capacity, and go back to it", async () => {
  const { host, link, streams } = opened();
  const body = Buffer.alloc(64 * 1024, 1);
  const count = Math.ceil(sharedWindowBytes / (streamWindowBytes - initialWindowBytes)) + 20;
  await inTime(async (op) => {
    for (let at = 0; at < count; at++) {
      const id = 2 + 2 * at;
      link.write(encodeHeader({ type: 1, flags: syn, streamId: id, length: 0 }));
      for (let sent = 0; sent < initialWindowBytes; sent += body.length) {
        link.write(dataFrame(id, body));
      }
      await settle();
      const stream = streams[at];
      for (let read = 0; read < initialWindowBytes; ) {
        read += (await stream?.read(op))?.length ?? 0;
      }
    }
    const windows = () => streams.map(({ share }) => share.windowBytes);
    const extra = windows().reduce((sum, bytes) => sum + bytes - initialWindowBytes, 0);
    expect(extra).toBe(sharedWindowBytes);
    expect(windows()[0]).toBe(streamWindowBytes);
    expect(windows().at(-1)).toBe(initialWindowBytes);
    for (const stream of streams.splice(0, count - 1)) stream.reset();
    // The last one gets what they had with the next bytes that it reads.
    link.write(dataFrame(2 * count, body));
    link.write(dataFrame(2 * count, body));
    await settle();
    while (windows()[0] === initialWindowBytes) await streams[0]?.read(op);
    expect(windows()).toEqual([streamWindowBytes]);
  });
  host.close();
});

test("more streams than share one capacity all carry their bytes to the end", async () => {
  const size = 3 * 1024 * 1024;
  const received: number[] = [];
  await inTime(async (op) => {
    const { host, guest } = sessionPair((stream) => {
      void (async () => {
        let bytes = 0;
        for (let piece = await stream.read(op); piece !== null; piece = await stream.read(op)) {
          bytes += piece.length;
        }
        received.push(bytes);
        stream.end();
      })().catch(() => {});
    });
    const sending = Array.from({ length: 60 }, async () => {
      const stream = await host.open(op, Buffer.from("x"));
      for (let sent = 1; sent < size; sent += 64 * 1024) {
        await stream.write(op, Buffer.alloc(64 * 1024));
      }
      stream.end();
      while ((await stream.read(op)) !== null);
    });
    await Promise.all(sending);
    expect(received).toEqual(Array(60).fill(size + 1));
    expect(guest.streamCount).toBe(0);
    host.close();
  });
});

test("a stream that is left with its window full of unread bytes still comes to its end", async () => {
  await inTime(async (op) => {
    let ended = false;
    const { host, guest } = sessionPair((stream) => {
      void (async () => {
        await stream.write(op, Buffer.alloc(3 * streamWindowBytes));
        stream.end();
        ended = true;
      })().catch(() => {});
    });
    const stream = await host.open(op, Buffer.from("x"));
    await settle();
    stream.leave();
    while (!ended) await settle();
    while (host.streamCount + guest.streamCount > 0) {
      op.check();
      await host.ping(op);
    }
    host.close();
  });
});
