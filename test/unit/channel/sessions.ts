import { type Duplex, duplexPair } from "node:stream";
import fc from "fast-check";
import { type Op, withOp } from "../../../src/base/op.ts";
import { encodeHeader, frameType } from "../../../src/channel/frame.ts";
import { Session } from "../../../src/channel/session.ts";
import type { ChannelStream } from "../../../src/channel/stream.ts";

/** Runs a test body under a deadline that turns a hang into a failure with a name. */
export async function inTime<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return await withOp("test", { timeoutMs: 20_000 }, work);
}

/** Host and guest session back to back; accepted streams go to `onStream`. */
export function sessionPair(onStream: (stream: ChannelStream) => void): {
  host: Session;
  guest: Session;
} {
  const [hostLink, guestLink] = duplexPair();
  hostLink.on("error", () => {});
  guestLink.on("error", () => {});
  guestLink.once("close", () => hostLink.push(null));
  return {
    host: new Session(hostLink, "client"),
    guest: new Session(guestLink, "server", { onStream }),
  };
}

/** A host session whose guest is the test itself, writing raw bytes. */
export function rawGuest(): { host: Session; link: Duplex; sent: () => Buffer } {
  const [hostLink, link] = duplexPair();
  hostLink.on("error", () => {});
  link.on("error", () => {});
  link.once("close", () => hostLink.push(null));
  const parts: Buffer[] = [];
  link.on("data", (chunk: Buffer) => parts.push(chunk));
  return { host: new Session(hostLink, "client"), link, sent: () => Buffer.concat(parts) };
}

export function dataFrame(streamId: number, body: Uint8Array, flags = 0): Buffer {
  const header = { type: frameType.data, flags, streamId, length: body.length };
  return Buffer.concat([encodeHeader(header), body]);
}

/** Cuts bytes at arbitrary places, single bytes included. */
export function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const chunks: Buffer[] = [];
  let from = 0;
  for (const place of [...places, bytes.length]) {
    if (place > from) chunks.push(bytes.subarray(from, place));
    from = place;
  }
  return chunks;
}

/** Lets everything that is ready happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Seeds that once found something, run again before the fresh one of each run. */
const keptSeeds: readonly number[] = [1, 20_261_121, -1_403_880_513];

/** Checks a property with the kept seeds and a fresh one; a failure prints its seed and path. */
export async function checkProperty<Ts>(
  property: fc.IAsyncPropertyWithHooks<Ts>,
  numRuns: number,
): Promise<void> {
  for (const seed of keptSeeds) await fc.assert(property, { numRuns, seed });
  await fc.assert(property, { numRuns });
}
