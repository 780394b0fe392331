import { MicroagentError } from "../../base/errors.ts";

/** Fixed measures of the ext4 file systems we make. */
export const ext4 = {
  blockBytes: 4096,
  blocksPerGroup: 32768,
  inodeBytes: 256,
  inodesPerBlock: 16,
  inodesPerGroupMax: 32768,
  descriptorBytes: 32,
  rootInode: 2,
  lostFoundInode: 11,
  /** Inodes 1 to 10 are the file system's own. */
  firstInode: 11,
  /** Block numbers have 32 bits here: 16 TiB. */
  blocksMax: 2 ** 32 - 1,
} as const;

/** Blocks `[start, start + count)`. */
export interface BlockRange {
  readonly start: number;
  readonly count: number;
}

/** Where the metadata of a file system of one size lies. */
export interface Geometry {
  readonly blockCount: number;
  readonly groupCount: number;
  readonly inodesPerGroup: number;
  readonly inodeCount: number;
  readonly inodeTableBlocks: number;
  readonly descriptorBlocks: number;
  /** Groups whose bitmaps and inode tables lie together in the first of them; a power of two. */
  readonly groupsPerFlex: number;
}

/** Lays out `sizeBytes` with at least `inodesWanted` inodes; `no_space` when that cannot be. */
export function planGeometry(sizeBytes: number, inodesWanted: number): Geometry {
  let blockCount = Math.min(Math.floor(sizeBytes / ext4.blockBytes), ext4.blocksMax);
  for (;;) {
    const geometry = geometryOf(blockCount, inodesWanted);
    const last = geometry.groupCount - 1;
    const lastBlocks = groupBlocks(geometry, last);
    const needed =
      baseBlocks(geometry, last) +
      (isFlexLeader(geometry, last) ? flexRange(geometry, last).count : 0);
    const fits = lastBlocks >= needed + 8 && geometry.inodesPerGroup <= ext4.inodesPerGroupMax;
    if (fits) return geometry;
    if (last === 0 || geometry.inodesPerGroup > ext4.inodesPerGroupMax) {
      throw new MicroagentError(
        "no_space",
        `A file system of ${sizeBytes} bytes cannot hold ${inodesWanted} files`,
      );
    }
    // The rest behind the last whole group is too small for a group's own metadata.
    blockCount = last * ext4.blocksPerGroup;
  }
}

function geometryOf(blockCount: number, inodesWanted: number): Geometry {
  const groupCount = Math.max(1, Math.ceil(blockCount / ext4.blocksPerGroup));
  const perGroup = Math.max(16, Math.ceil(inodesWanted / groupCount));
  const inodesPerGroup = Math.ceil(perGroup / ext4.inodesPerBlock) * ext4.inodesPerBlock;
  const inodeTableBlocks = inodesPerGroup / ext4.inodesPerBlock;
  let groupsPerFlex = 16;
  while (groupsPerFlex * (inodeTableBlocks + 2) > ext4.blocksPerGroup / 2) groupsPerFlex /= 2;
  return {
    blockCount,
    groupCount,
    inodesPerGroup,
    inodeCount: inodesPerGroup * groupCount,
    inodeTableBlocks,
    descriptorBlocks: Math.ceil((groupCount * ext4.descriptorBytes) / ext4.blockBytes),
    groupsPerFlex: Math.max(1, groupsPerFlex),
  };
}

/** Blocks in a group: the last one may be shorter. */
export function groupBlocks(geometry: Geometry, group: number): number {
  return Math.min(ext4.blocksPerGroup, geometry.blockCount - group * ext4.blocksPerGroup);
}

/** Superblocks and descriptors are repeated in groups 0, 1 and the powers of 3, 5 and 7. */
export function hasSuperblock(group: number): boolean {
  if (group <= 1) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}

/** Blocks at the start of a group for the superblock and the descriptors, or 0. */
export function baseBlocks(geometry: Geometry, group: number): number {
  return hasSuperblock(group) ? 1 + geometry.descriptorBlocks : 0;
}

export function isFlexLeader(geometry: Geometry, group: number): boolean {
  return group % geometry.groupsPerFlex === 0;
}

/** The bitmaps and inode tables of all groups that `leader` leads. */
export function flexRange(geometry: Geometry, leader: number): BlockRange {
  const groups = Math.min(geometry.groupsPerFlex, geometry.groupCount - leader);
  return {
    start: leader * ext4.blocksPerGroup + baseBlocks(geometry, leader),
    count: groups * (2 + geometry.inodeTableBlocks),
  };
}

export interface GroupPlaces {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
}

/** All block bitmaps of a flex group come first, then the inode bitmaps, then the tables. */
export function groupPlaces(geometry: Geometry, group: number): GroupPlaces {
  const index = group % geometry.groupsPerFlex;
  const leader = group - index;
  const groups = Math.min(geometry.groupsPerFlex, geometry.groupCount - leader);
  const { start } = flexRange(geometry, leader);
  return {
    blockBitmap: start + index,
    inodeBitmap: start + groups + index,
    inodeTable: start + 2 * groups + index * geometry.inodeTableBlocks,
  };
}

/** The blocks of a group that metadata takes, in order; they never overlap. */
export function metadataRanges(geometry: Geometry, group: number): BlockRange[] {
  const ranges: BlockRange[] = [];
  const base = baseBlocks(geometry, group);
  if (base > 0) ranges.push({ start: group * ext4.blocksPerGroup, count: base });
  if (isFlexLeader(geometry, group)) ranges.push(flexRange(geometry, group));
  return ranges;
}

/** Byte offset of an inode in the image. */
export function inodePosition(geometry: Geometry, inode: number): number {
  const group = Math.floor((inode - 1) / geometry.inodesPerGroup);
  const index = (inode - 1) % geometry.inodesPerGroup;
  return groupPlaces(geometry, group).inodeTable * ext4.blockBytes + index * ext4.inodeBytes;
}
