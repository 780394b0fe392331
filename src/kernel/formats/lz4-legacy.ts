import { MicroagentError } from "../../base/errors.ts";

/** First bytes of the LZ4 legacy frame, the one the kernel's own build uses. */
export const lz4LegacyMagic: number = 0x184c2102;

/** Uncompressed size of every block of a legacy frame but the last. */
const blockBytesMax = 8 * 1024 * 1024;
/** No byte of LZ4 stands for more than this many. */
const expansionMax = 255;
/** Shortest match LZ4 can express. */
const matchBytesMin = 4;

/**
 * Unpacks an LZ4 legacy frame: a magic, then blocks of at most 8 MiB, each behind its compressed size.
 * Bytes after the last block (the kernel build appends the total size) end the frame. Output beyond
 * `bytesMax` and any reference outside a block is `store_corrupt`.
 */
export function unpackLz4Legacy(input: Uint8Array, bytesMax: number): Uint8Array {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (input.length < 4 || view.getUint32(0, true) !== lz4LegacyMagic) {
    throw corrupt("has no legacy frame magic");
  }
  const blocks: Uint8Array[] = [];
  let total = 0;
  let at = 4;
  while (at + 4 <= input.length) {
    const size = view.getUint32(at, true);
    if (size === lz4LegacyMagic) {
      at += 4;
      continue;
    }
    // What follows the last block is not a block: the build's size field does not fit behind itself.
    if (size === 0 || at + 4 + size > input.length) break;
    const target = new Uint8Array(Math.min(blockBytesMax, size * expansionMax));
    const length = unpackBlock(input.subarray(at + 4, at + 4 + size), target);
    total += length;
    if (total > bytesMax) throw corrupt(`unpacks to more than ${bytesMax} bytes`);
    blocks.push(target.subarray(0, length));
    at += 4 + size;
  }
  if (blocks.length === 0) throw corrupt("holds no block");
  return Buffer.concat(blocks);
}

function unpackBlock(source: Uint8Array, target: Uint8Array): number {
  let from = 0;
  let to = 0;
  const extend = (nibble: number): number => {
    let length = nibble;
    if (nibble !== 15) return length;
    for (;;) {
      const byte = source[from++];
      if (byte === undefined) throw corrupt("ends inside a length");
      length += byte;
      if (byte !== 255) return length;
    }
  };
  while (from < source.length) {
    const token = source[from++] ?? 0;
    const literals = extend(token >> 4);
    if (from + literals > source.length || to + literals > target.length) {
      throw corrupt("has literals beyond its end");
    }
    target.set(source.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === source.length) return to;
    const distance = (source[from] ?? 0) | ((source[from + 1] ?? 0) << 8);
    from += 2;
    if (from > source.length || distance === 0 || distance > to) {
      throw corrupt("refers to bytes before its start");
    }
    const length = extend(token & 15) + matchBytesMin;
    if (to + length > target.length) throw corrupt("has a match beyond its end");
    copyMatch(target, to, distance, length);
    to += length;
  }
  throw corrupt("ends without its last literals");
}

function copyMatch(target: Uint8Array, to: number, distance: number, length: number): void {
  if (distance >= length) {
    target.copyWithin(to, to - distance, to - distance + length);
    return;
  }
  // Source and target overlap on purpose: the match repeats what it has just written.
  for (let i = 0; i < length; i++) target[to + i] = target[to + i - distance] ?? 0;
}

function corrupt(reason: string): MicroagentError {
  return new MicroagentError("store_corrupt", `The LZ4 data of the kernel ${reason}`);
}
