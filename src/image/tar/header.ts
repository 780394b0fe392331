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
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let i = 0; i < blockBytes; i++) {
    if (i === 148) i = 156;
    const byte = block[at + i] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  return wanted === unsigned || wanted === unsigned - 256 * high;
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
