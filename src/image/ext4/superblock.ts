import { ext4, type Geometry } from "./geometry.ts";

export interface SuperblockFields {
  readonly geometry: Geometry;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly uuid: Uint8Array;
  readonly hashSeed: Uint8Array;
  /** At most 16 bytes. */
  readonly label: string;
}

const compatExtAttr = 0x8;
const compatDirIndex = 0x20;
const incompatFiletype = 0x2;
const incompatExtents = 0x40;
const incompatFlexGroups = 0x200;
const roCompatSparseSuper = 0x1;
const roCompatLargeFile = 0x2;
const roCompatHugeFile = 0x8;
/** Group descriptors carry checksums, so that parts of a group may stay unwritten. */
const roCompatGroupChecksums = 0x10;
const roCompatDirLinks = 0x20;
const roCompatExtraIsize = 0x40;

/** The 1024 bytes of a superblock; `group` is the one its copy lies in. */
export function encodeSuperblock(fields: SuperblockFields, group: number): Buffer {
  const { geometry } = fields;
  const block = Buffer.alloc(1024);
  block.writeUInt32LE(geometry.inodeCount, 0x00);
  block.writeUInt32LE(geometry.blockCount, 0x04);
  block.writeUInt32LE(fields.freeBlocks, 0x0c);
  block.writeUInt32LE(fields.freeInodes, 0x10);
  block.writeUInt32LE(2, 0x18); // 1024 << 2 bytes per block
  block.writeUInt32LE(2, 0x1c);
  block.writeUInt32LE(ext4.blocksPerGroup, 0x20);
  block.writeUInt32LE(ext4.blocksPerGroup, 0x24);
  block.writeUInt32LE(geometry.inodesPerGroup, 0x28);
  block.writeInt16LE(-1, 0x36); // never checked for its count of mounts
  block.writeUInt16LE(0xef53, 0x38);
  block.writeUInt16LE(1, 0x3a); // clean
  block.writeUInt16LE(1, 0x3c); // go on after errors
  block.writeUInt32LE(1, 0x4c); // dynamic revision
  block.writeUInt32LE(ext4.firstInode, 0x54);
  block.writeUInt16LE(ext4.inodeBytes, 0x58);
  block.writeUInt16LE(group, 0x5a);
  block.writeUInt32LE(compatExtAttr | compatDirIndex, 0x5c);
  block.writeUInt32LE(incompatFiletype | incompatExtents | incompatFlexGroups, 0x60);
  block.writeUInt32LE(
    roCompatSparseSuper |
      roCompatLargeFile |
      roCompatHugeFile |
      roCompatGroupChecksums |
      roCompatDirLinks |
      roCompatExtraIsize,
    0x64,
  );
  block.set(fields.uuid, 0x68);
  block.write(fields.label, 0x78, 16, "utf8");
  block.set(fields.hashSeed, 0xec);
  block.writeUInt8(1, 0xfc); // half MD4
  block.writeUInt32LE(0x000c, 0x100); // user_xattr, acl
  block.writeUInt16LE(32, 0x15c);
  block.writeUInt16LE(32, 0x15e);
  block.writeUInt32LE(2, 0x160); // directory hashes take bytes as unsigned
  block.writeUInt8(Math.log2(geometry.groupsPerFlex), 0x174);
  return block;
}
