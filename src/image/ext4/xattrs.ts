import { MicroagentError } from "../../base/errors.ts";
import type { Xattr } from "../tree/xattr-sets.ts";
import { ext4 } from "./geometry.ts";

/** A file's attributes as ext4 stores them: inside the inode, or in a block of their own. */
export interface EncodedXattrs {
  /** At most 96 bytes, empty when there are none in the inode. */
  readonly inode: Buffer;
  readonly block: Buffer | null;
}

interface Stored {
  readonly index: number;
  readonly name: Buffer;
  readonly value: Buffer;
}

const magic = 0xea020000;
const inodeAreaBytes = 96;
const entryBytes = 16;
const blockHeaderBytes = 32;
const noXattrs: EncodedXattrs = { inode: Buffer.alloc(0), block: null };

const prefixes: readonly (readonly [prefix: string, index: number])[] = [
  ["system.posix_acl_access", 2],
  ["system.posix_acl_default", 3],
  ["user.", 1],
  ["trusted.", 4],
  ["security.", 6],
];

/** Encodes a set; `image_unsupported` when it is larger than a block. `path` is for the message. */
export function encodeXattrs(xattrs: readonly Xattr[], path: () => string): EncodedXattrs {
  if (xattrs.length === 0) return noXattrs;
  const stored = xattrs.map(toStored).sort(byIndexLengthName);
  // In the inode offsets count from behind the magic number, in a block from its start.
  const inode = Buffer.alloc(inodeAreaBytes);
  inode.writeUInt32LE(magic, 0);
  if (encodeEntries(stored, inode.subarray(4), 0, false)) return { inode, block: null };
  const block = Buffer.alloc(ext4.blockBytes);
  if (!encodeEntries(stored, block, blockHeaderBytes, true)) {
    throw new MicroagentError(
      "image_unsupported",
      `File "${path()}" has more extended attributes than fit into one ext4 block`,
      { hint: "Build the image as EROFS, which has room for them: --format erofs" },
    );
  }
  block.writeUInt32LE(magic, 0);
  block.writeUInt32LE(1, 4); // references
  block.writeUInt32LE(1, 8); // blocks
  block.writeUInt32LE(hashOfBlock(block, stored.length), 12);
  return { inode: noXattrs.inode, block };
}

function toStored({ name, value }: Xattr): Stored {
  const [prefix, index] = prefixes.find(([start]) => name.startsWith(start)) ?? ["", 0];
  const isAcl = index === 2 || index === 3;
  const raw = Buffer.from(value.buffer, value.byteOffset, value.length);
  const suffix = Buffer.from(name.slice(prefix.length), "latin1");
  return { index, name: suffix, value: isAcl ? packAcl(raw) : raw };
}

/** Lookups in a block expect this order. */
function byIndexLengthName(a: Stored, b: Stored): number {
  return a.index - b.index || a.name.length - b.name.length || Buffer.compare(a.name, b.name);
}

/** Entries from `at` on, values from the end backwards; false when they do not fit. */
function encodeEntries(
  stored: readonly Stored[],
  area: Buffer,
  at: number,
  hashed: boolean,
): boolean {
  let entryAt = at;
  let valueAt = area.length;
  for (const { index, name, value } of stored) {
    const padded = align4(value.length);
    valueAt -= padded;
    const entryEnd = entryAt + entryBytes + align4(name.length);
    // Four zero bytes end the list of entries.
    if (entryEnd + 4 > valueAt) return false;
    area.writeUInt8(name.length, entryAt);
    area.writeUInt8(index, entryAt + 1);
    area.writeUInt16LE(value.length === 0 ? 0 : valueAt, entryAt + 2);
    area.writeUInt32LE(value.length, entryAt + 8);
    area.set(name, entryAt + entryBytes);
    area.set(value, valueAt);
    if (hashed)
      area.writeUInt32LE(hashOfEntry(name, area.subarray(valueAt, valueAt + padded)), entryAt + 12);
    entryAt = entryEnd;
  }
  return true;
}

function hashOfEntry(name: Buffer, paddedValue: Buffer): number {
  let hash = 0;
  for (const byte of name) hash = ((hash << 5) ^ (hash >>> 27) ^ byte) >>> 0;
  for (let at = 0; at < paddedValue.length; at += 4) {
    hash = ((hash << 16) ^ (hash >>> 16) ^ paddedValue.readUInt32LE(at)) >>> 0;
  }
  return hash;
}

function hashOfBlock(block: Buffer, count: number): number {
  let hash = 0;
  let at = blockHeaderBytes;
  for (let i = 0; i < count; i++) {
    hash = ((hash << 16) ^ (hash >>> 16) ^ block.readUInt32LE(at + 12)) >>> 0;
    at += entryBytes + align4(block.readUInt8(at));
  }
  return hash;
}

/** An access control list loses the ids of entries that have none, and its version changes. */
function packAcl(raw: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([1, 0, 0, 0])];
  for (let at = 4; at + 8 <= raw.length; at += 8) {
    const tag = raw.readUInt16LE(at);
    const named = tag === 0x02 || tag === 0x08;
    parts.push(raw.subarray(at, at + (named ? 8 : 4)));
  }
  return Buffer.concat(parts);
}

function align4(value: number): number {
  return Math.ceil(value / 4) * 4;
}
