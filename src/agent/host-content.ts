import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Op } from "../base/op.ts";
import { hostReadError } from "./host-read-error.ts";
import type { TreeEntry, TreeItem } from "./tree.ts";

/** Files up to this size are read in one go. */
export const smallBytesMax: number = 64 * 1024;
/** Large enough that a read's round trip through the thread pool does not matter. */
const readBytes = 256 * 1024;
const zeros = Buffer.alloc(readBytes);
// A link or a pipe that took the file's place meanwhile is neither followed nor waited for.
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

export interface HostContent {
  readonly stats: BigIntStats;
  /** Null when the file has grown meanwhile and must be read piece by piece. */
  readonly data: Buffer | null;
}

/** A small file's state and content as of one opening. */
export async function loadSmall(host: Buffer): Promise<HostContent> {
  const handle = await openForReading(host);
  try {
    const stats = await handle.stat({ bigint: true });
    if (stats.size > smallBytesMax) return { stats, data: null };
    // One byte more than promised tells a file that has grown.
    const buffer = Buffer.allocUnsafeSlow(Number(stats.size) + 1);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length);
    const grown = bytesRead === buffer.length;
    return { stats, data: grown ? null : buffer.subarray(0, bytesRead) };
  } finally {
    await handle.close();
  }
}

/** A file piece by piece, its entry first, reading ahead while the last piece is taken. */
export async function* readLarge(
  op: Op,
  host: Buffer,
  entryOf: (stats: BigIntStats) => TreeEntry,
): AsyncIterable<TreeItem> {
  const handle = await openForReading(host);
  try {
    const stats = await handle.stat({ bigint: true });
    yield { kind: "entry", entry: entryOf(stats) };
    // Fewer blocks than bytes: somewhere there are holes, so zeros are worth looking for.
    const sparse = stats.blocks * 512n < stats.size;
    const read = () => handle.read(Buffer.allocUnsafeSlow(readBytes), 0, readBytes);
    let hole = 0;
    let ahead = read();
    for (;;) {
      const { bytesRead, buffer } = await ahead;
      op.check();
      if (bytesRead === 0) break;
      ahead = read();
      ahead.catch(() => {});
      const data = buffer.subarray(0, bytesRead);
      if (sparse && data.equals(zeros.subarray(0, bytesRead))) {
        hole += bytesRead;
        continue;
      }
      if (hole > 0) yield { kind: "hole", bytes: hole };
      hole = 0;
      yield { kind: "data", data };
    }
    if (hole > 0) yield { kind: "hole", bytes: hole };
  } finally {
    await handle.close();
  }
}

async function openForReading(host: Buffer): Promise<FileHandle> {
  try {
    return await open(host, readFlags);
  } catch (error) {
    throw hostReadError(error, "File", host.toString());
  }
}
