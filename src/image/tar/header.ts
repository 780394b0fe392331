import { parseNumeric } from "./numeric.ts";

export const blockBytes = 512;

export type HeaderFormat = "v7" | "ustar" | "gnu";

/** The fields of one 512-byte header block, numbers NaN where they cannot be read. */
export interface RawHeader {
  readonly format: HeaderFormat;
  readonly type: string;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** Reads a header block at `at`; null when its checksum is wrong. */
export function parseHeader(block: Buffer, at: number): RawHeader | null {
  if (!checksumHolds(block, at)) return null;
  const format = formatOf(block, at);
  const hasDevices = format !== "v7";
  let name = cString(block, at, 100);
  if (format === "ustar") {
    // The "star" dialect keeps two times in the last bytes of the prefix field.
    const star = block.toString("latin1", at + 508, at + 512) === "tar\0";
    const prefix = cString(block, at + 345, star ? 131 : 155);
    if (prefix !== "") name = `${prefix}/${name}`;
  }
  return {
    format,
    type: String.fromCharCode(block[at + 156] ?? 0),
    name,
    linkName: cString(block, at + 157, 100),
    mode: parseNumeric(block, at + 100, 8),
    uid: parseNumeric(block, at + 108, 8),
    gid: parseNumeric(block, at + 116, 8),
    size: parseNumeric(block, at + 124, 12),
    mtime: parseNumeric(block, at + 136, 12),
    devMajor: hasDevices ? parseNumeric(block, at + 329, 8) : 0,
    devMinor: hasDevices ? parseNumeric(block, at + 337, 8) : 0,
  };
}

function formatOf(block: Buffer, at: number): HeaderFormat {
  const magic = block.toString("latin1", at + 257, at + 265);
  if (magic === "ustar  \0") return "gnu";
  return magic.startsWith("ustar\0") ? "ustar" : "v7";
}

/** The sum counts the checksum field as blanks; old writers summed signed bytes. */
function checksumHolds(block: Buffer, at: number): boolean {
  const wanted = parseNumeric(block, at + 148, 8);
  let unsigned = sumOfBytes(block, at) + 8 * 0x20;
  for (let i = at + 148; i < at + 156; i++) unsigned -= block[i] ?? 0;
  if (wanted === unsigned) return true;
  let high = 0;
  for (let i = at; i < at + blockBytes; i++) {
    if (i < at + 148 || i >= at + 156) high += (block[i] ?? 0) >> 7;
  }
  return wanted === unsigned - 256 * high;
}

/** Adds up a block, four bytes at a time: two lanes of 16 bits hold 128 words without overflow. */
function sumOfBytes(block: Buffer, at: number): number {
  const start = block.byteOffset + at;
  if (start % 4 !== 0)
    return block.subarray(at, at + blockBytes).reduce((sum, byte) => sum + byte, 0);
  const words = new Uint32Array(block.buffer, start, blockBytes / 4);
  let lanes = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? 0;
    lanes += (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff);
  }
  return (lanes & 0xffff) + (lanes >>> 16);
}

/** A NUL-terminated string of at most `length` bytes. */
export function cString(block: Buffer, at: number, length: number): string {
  let end = at;
  const limit = at + length;
  while (end < limit && block[end] !== 0) end++;
  return block.toString("latin1", at, end);
}

export function isZeroBlock(block: Buffer, at: number): boolean {
  for (let i = at; i < at + blockBytes; i++) if (block[i] !== 0) return false;
  return true;
}

/** Bytes between the end of a body and the next block. */
export function paddingOf(size: number): number {
  const tail = size % blockBytes;
  return tail === 0 ? 0 : blockBytes - tail;
}
