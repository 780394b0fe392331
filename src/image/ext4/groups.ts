import { crc16 } from "./crc16.ts";
import {
  ext4,
  type Geometry,
  groupBlocks,
  groupPlaces,
  isFlexLeader,
  metadataRanges,
} from "./geometry.ts";

/** How much of the file system is in use: both are handed out from the front. */
export interface Usage {
  /** Blocks before this one are in use; behind it only metadata is. */
  readonly nextBlock: number;
  /** The highest inode in use. */
  readonly lastInode: number;
  /** Directories per group. */
  readonly directories: ReadonlyMap<number, number>;
}

/** What is known of one group; bitmaps are null where they need not be written. */
export interface GroupState {
  readonly blockBitmap: Buffer | null;
  readonly inodeBitmap: Buffer | null;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly descriptor: Buffer;
}

const inodesUnwritten = 0x1;
const blocksUnwritten = 0x2;
/** True of us everywhere: what is not written of a sparse file reads as zeros. */
const inodeTableZeroed = 0x4;

export function groupState(
  geometry: Geometry,
  usage: Usage,
  uuid: Uint8Array,
  group: number,
): GroupState {
  const usedInodes = clamp(
    usage.lastInode - group * geometry.inodesPerGroup,
    0,
    geometry.inodesPerGroup,
  );
  const used = usedBlockRanges(geometry, usage, group);
  const usedCount = used.reduce((sum, [start, end]) => sum + end - start, 0);
  const freeBlocks = groupBlocks(geometry, group) - usedCount;
  const freeInodes = geometry.inodesPerGroup - usedInodes;
  // A reader makes up unwritten bitmaps from the group's own metadata, so none but that may be
  // in there; the last group's is written as its end has to be marked.
  const blocksWritten =
    isFlexLeader(geometry, group) ||
    group === geometry.groupCount - 1 ||
    usage.nextBlock > group * ext4.blocksPerGroup;
  const places = groupPlaces(geometry, group);
  const descriptor = Buffer.alloc(ext4.descriptorBytes);
  descriptor.writeUInt32LE(places.blockBitmap, 0);
  descriptor.writeUInt32LE(places.inodeBitmap, 4);
  descriptor.writeUInt32LE(places.inodeTable, 8);
  descriptor.writeUInt16LE(freeBlocks, 12);
  descriptor.writeUInt16LE(freeInodes, 14);
  descriptor.writeUInt16LE(usage.directories.get(group) ?? 0, 16);
  const flags =
    inodeTableZeroed |
    (usedInodes === 0 ? inodesUnwritten : 0) |
    (blocksWritten ? 0 : blocksUnwritten);
  descriptor.writeUInt16LE(flags, 18);
  descriptor.writeUInt16LE(freeInodes, 28); // inodes at the end that were never used
  const number = Buffer.alloc(4);
  number.writeUInt32LE(group);
  const checksum = crc16(crc16(crc16(0xffff, uuid), number), descriptor.subarray(0, 30));
  descriptor.writeUInt16LE(checksum, 30);
  return {
    blockBitmap: blocksWritten
      ? bitmapOf([...used, [groupBlocks(geometry, group), ext4.blocksPerGroup]])
      : null,
    inodeBitmap:
      usedInodes === 0
        ? null
        : bitmapOf([
            [0, usedInodes],
            [geometry.inodesPerGroup, ext4.blockBytes * 8],
          ]),
    freeBlocks,
    freeInodes,
    descriptor,
  };
}

/** `[start, end)` inside the group, in order and without overlaps. */
function usedBlockRanges(geometry: Geometry, usage: Usage, group: number): [number, number][] {
  const first = group * ext4.blocksPerGroup;
  const filled = clamp(usage.nextBlock - first, 0, groupBlocks(geometry, group));
  const used: [number, number][] = [[0, filled]];
  for (const range of metadataRanges(geometry, group)) {
    const end = range.start - first + range.count;
    if (end > filled) used.push([Math.max(filled, range.start - first), end]);
  }
  return used;
}

function bitmapOf(ranges: readonly (readonly [number, number])[]): Buffer {
  const bitmap = Buffer.alloc(ext4.blockBytes);
  for (const [start, end] of ranges) {
    let bit = start;
    while (bit < end && bit % 8 !== 0) setBit(bitmap, bit++);
    const whole = Math.floor(end / 8) * 8;
    if (whole > bit) {
      bitmap.fill(0xff, bit / 8, whole / 8);
      bit = whole;
    }
    while (bit < end) setBit(bitmap, bit++);
  }
  return bitmap;
}

function setBit(bitmap: Buffer, bit: number): void {
  bitmap[bit >>> 3] = (bitmap[bit >>> 3] ?? 0) | (1 << (bit & 7));
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
