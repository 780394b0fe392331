import { ext4 } from "./geometry.ts";

/** The fields of an inode; `blockArea` is the 60 bytes of extents, link target or device number. */
export interface InodeFields {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  /** Blocks of 4096 bytes, those of extents and attributes included. */
  readonly blocks: number;
  readonly usesExtents: boolean;
  readonly blockArea: Uint8Array;
  /** Block with attributes, 0 for none. */
  readonly xattrBlock: number;
  /** What lies behind the fixed fields: attributes, at most 96 bytes. */
  readonly xattrArea: Uint8Array;
}

const extraBytes = 32;
const extentsFlag = 0x80000;
const secondsMin = -(2 ** 31);
const secondsMax = 2 ** 34 - 2 ** 31 - 1;

/** The 256 bytes of an inode; all four of its times are the modification time. */
export function encodeInode(fields: InodeFields): Buffer {
  const inode = Buffer.alloc(ext4.inodeBytes);
  const sectors = fields.blocks * 8;
  // Like the kernel: a time that cannot be stored becomes the nearest that can.
  const seconds = Math.min(Math.max(fields.mtimeSeconds, secondsMin), secondsMax);
  const low = seconds | 0;
  const epoch = Math.round((seconds - low) / 2 ** 32) & 3;
  const extra = ((fields.mtimeNanoseconds << 2) | epoch) >>> 0;
  inode.writeUInt16LE(fields.mode, 0x00);
  inode.writeUInt16LE(fields.uid & 0xffff, 0x02);
  inode.writeUInt32LE(fields.size % 2 ** 32, 0x04);
  for (const at of [0x08, 0x0c, 0x10]) inode.writeInt32LE(low, at);
  inode.writeUInt16LE(fields.gid & 0xffff, 0x18);
  inode.writeUInt16LE(fields.links, 0x1a);
  inode.writeUInt32LE(sectors % 2 ** 32, 0x1c);
  inode.writeUInt32LE(fields.usesExtents ? extentsFlag : 0, 0x20);
  inode.set(fields.blockArea, 0x28);
  inode.writeUInt32LE(fields.xattrBlock, 0x68);
  inode.writeUInt32LE(Math.floor(fields.size / 2 ** 32), 0x6c);
  inode.writeUInt16LE(Math.floor(sectors / 2 ** 32), 0x74);
  inode.writeUInt16LE(fields.uid >>> 16, 0x78);
  inode.writeUInt16LE(fields.gid >>> 16, 0x7a);
  inode.writeUInt16LE(extraBytes, 0x80);
  for (const at of [0x84, 0x88, 0x8c, 0x94]) inode.writeUInt32LE(extra, at);
  inode.writeInt32LE(low, 0x90);
  inode.set(fields.xattrArea, 0x80 + extraBytes);
  return inode;
}
