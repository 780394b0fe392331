import { ext4 } from "./geometry.ts";

/** A piece of a file: `count` blocks from `logical` on lie at `start`. */
export interface Extent {
  readonly logical: number;
  readonly start: number;
  readonly count: number;
}

/** The extent tree of a file: its root for the inode and its nodes for blocks of their own. */
export interface ExtentTree {
  readonly root: Buffer;
  readonly nodes: readonly { readonly block: number; readonly bytes: Buffer }[];
}

const extentBlocksMax = 32768;
const headerBytes = 12;
const recordBytes = 12;
const rootRecords = 4;
const nodeRecords = Math.floor((ext4.blockBytes - headerBytes) / recordBytes);

/** Cuts pieces to the length an extent can have. */
export function cutExtents(pieces: Iterable<Extent>): Extent[] {
  const extents: Extent[] = [];
  for (const { logical, start, count } of pieces) {
    for (let done = 0; done < count; done += extentBlocksMax) {
      extents.push({
        logical: logical + done,
        start: start + done,
        count: Math.min(extentBlocksMax, count - done),
      });
    }
  }
  return extents;
}

/** Blocks that the tree over `extentCount` extents needs beside the inode. */
export function extentNodeCount(extentCount: number): number {
  let nodes = 0;
  for (let records = extentCount; records > rootRecords; ) {
    records = Math.ceil(records / nodeRecords);
    nodes += records;
  }
  return nodes;
}

/** Builds the tree from its leaves up; `takeBlock` gives a place for each node. */
export function buildExtentTree(extents: readonly Extent[], takeBlock: () => number): ExtentTree {
  const nodes: { block: number; bytes: Buffer }[] = [];
  let depth = 0;
  let level: { logical: number; record: Buffer }[] = extents.map((extent) => ({
    logical: extent.logical,
    record: leafRecord(extent),
  }));
  while (level.length > rootRecords) {
    const above: typeof level = [];
    for (let i = 0; i < level.length; i += nodeRecords) {
      const part = level.slice(i, i + nodeRecords);
      const block = takeBlock();
      nodes.push({ block, bytes: encodeNode(part, nodeRecords, depth, ext4.blockBytes) });
      const logical = part[0]?.logical ?? 0;
      above.push({ logical, record: indexRecord(logical, block) });
    }
    level = above;
    depth++;
  }
  return { root: encodeNode(level, rootRecords, depth, 60), nodes };
}

function encodeNode(
  records: readonly { readonly record: Buffer }[],
  capacity: number,
  depth: number,
  bytes: number,
): Buffer {
  const node = Buffer.alloc(bytes);
  node.writeUInt16LE(0xf30a, 0);
  node.writeUInt16LE(records.length, 2);
  node.writeUInt16LE(capacity, 4);
  node.writeUInt16LE(depth, 6);
  for (const [i, { record }] of records.entries()) node.set(record, headerBytes + i * recordBytes);
  return node;
}

function leafRecord({ logical, start, count }: Extent): Buffer {
  const record = Buffer.alloc(recordBytes);
  record.writeUInt32LE(logical, 0);
  record.writeUInt16LE(count, 4);
  record.writeUInt32LE(start, 8);
  return record;
}

function indexRecord(logical: number, block: number): Buffer {
  const record = Buffer.alloc(recordBytes);
  record.writeUInt32LE(logical, 0);
  record.writeUInt32LE(block, 4);
  return record;
}
