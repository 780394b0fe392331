import { MicroagentError } from "../../base/errors.ts";
import { displayName } from "../tar/entry.ts";
import { fileType } from "../tree/inodes.ts";
import { storedBlocks } from "../tree/stored-blocks.ts";
import type { FileTree } from "../tree/tree.ts";
import { DirectoryBlocks } from "./directory-block.ts";
import { extentNodeCount } from "./extents.ts";
import { ext4, type Geometry, metadataRanges, planGeometry } from "./geometry.ts";
import { encodeXattrs } from "./xattrs.ts";

/** Inode numbers for every inode of a tree, and the blocks it will take. */
export interface Ext4Plan {
  /** Tree inodes in the order of their ext4 numbers, the root first. */
  readonly order: Uint32Array;
  /** ext4 inode number by tree inode. */
  readonly numbers: Uint32Array;
  readonly lastInode: number;
  /** Data, directories, links, attributes and extent nodes; a little more than is used. */
  readonly contentBlocks: number;
}

/** A link's target up to this length lies in the inode. */
export const inlineLinkBytesMax = 59;

/** Numbers the inodes directory by directory; sorts every directory on the way. */
export function planTree(tree: FileTree): Ext4Plan {
  const { inodes } = tree;
  const order = new Uint32Array(inodes.count);
  const numbers = new Uint32Array(inodes.end);
  let count = 1;
  let contentBlocks = 0;
  order[0] = tree.root;
  numbers[tree.root] = ext4.rootInode;
  for (let next = 0; next < count; next++) {
    const inode = order[next] ?? 0;
    contentBlocks += blocksOf(tree, inode);
    if (!inodes.isDirectory(inode)) continue;
    tree.sortChildren(inode);
    for (let child = tree.firstChildOf(inode); child !== 0; child = tree.nextOf(child)) {
      const named = tree.inodeOf(child);
      if (numbers[named] !== 0) continue;
      numbers[named] = ext4.firstInode + count - 1;
      order[count++] = named;
    }
  }
  return { order, numbers, lastInode: ext4.firstInode + count - 2, contentBlocks };
}

function blocksOf(tree: FileTree, inode: number): number {
  const { inodes } = tree;
  const set = inodes.xattrs[inode] ?? 0;
  const path = () => displayName(tree.pathOfInode(inode));
  const xattrBlocks =
    set !== 0 && encodeXattrs(tree.xattrSets.get(set), path).block !== null ? 1 : 0;
  switch (inodes.typeOf(inode)) {
    case fileType.file: {
      const sparse = inodes.sparse.get(inode);
      const blocks = storedBlocks(inodes.size[inode] ?? 0, sparse);
      const pieces = (sparse?.runs.length ?? 2) / 2 + 2 * Math.ceil(blocks / 16384);
      return xattrBlocks + blocks + extentNodeCount(pieces);
    }
    case fileType.symlink:
      return xattrBlocks + ((inodes.size[inode] ?? 0) > inlineLinkBytesMax ? 1 : 0);
    case fileType.directory:
      return xattrBlocks + directoryBlockCount(tree, inode) + 1;
    default:
      return xattrBlocks;
  }
}

/** An upper bound: a block is left when the longest name does not fit any more. */
function directoryBlockCount(tree: FileTree, directory: number): number {
  let bytes = 24;
  for (let child = tree.firstChildOf(directory); child !== 0; child = tree.nextOf(child)) {
    bytes += 8 + Math.ceil(tree.nameLengthOf(child) / 4) * 4;
  }
  return Math.ceil(bytes / (ext4.blockBytes - 264));
}

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const headroomBytes = 512 * MiB;
const bytesPerInode = 16 * 1024;

/**
 * The size of the file system: as pinned, or the smallest number of whole GiB that leaves 512 MiB.
 * `invalid_argument` when what is pinned is too small.
 */
export function chooseGeometry(plan: Ext4Plan, sizeMib: number | undefined): Geometry {
  if (sizeMib === undefined) {
    for (let size = GiB; ; size += GiB) {
      const geometry = tryGeometry(plan, size, false);
      if (geometry !== null && roomBytes(plan, geometry) >= headroomBytes) return geometry;
      if (size >= 2 ** 44)
        throw new MicroagentError(
          "image_unsupported",
          "The image needs more than the 16 TiB that ext4 holds",
        );
    }
  }
  const geometry = tryGeometry(plan, sizeMib * MiB, true);
  if (geometry !== null && roomBytes(plan, geometry) >= 0) return geometry;
  const needed = smallestMib(plan);
  throw new MicroagentError(
    "invalid_argument",
    `The image does not fit into ${sizeMib} MiB, it needs at least ${needed} MiB as ext4`,
    { hint: `Pin a larger size (--size-mib ${needed}), or none`, details: { neededMib: needed } },
  );
}

function smallestMib(plan: Ext4Plan): number {
  let mib = Math.ceil((plan.contentBlocks * ext4.blockBytes) / MiB);
  for (;;) {
    const geometry = tryGeometry(plan, mib * MiB, true);
    if (geometry !== null && roomBytes(plan, geometry) >= 0) return mib;
    mib += Math.max(1, Math.ceil(mib / 100));
  }
}

function tryGeometry(plan: Ext4Plan, sizeBytes: number, sizeIsPinned: boolean): Geometry | null {
  try {
    const usual = Math.floor(sizeBytes / bytesPerInode);
    // A pinned size may leave no room, but who lets us choose gets some for new files.
    const spare = sizeIsPinned ? 16 : 16_384 + Math.floor(plan.lastInode / 4);
    return planGeometry(sizeBytes, Math.max(plan.lastInode + spare, usual));
  } catch {
    return null;
  }
}

/** Bytes left once the image is in; negative when it does not fit. */
function roomBytes(plan: Ext4Plan, geometry: Geometry): number {
  let free = geometry.blockCount - plan.contentBlocks;
  for (let group = 0; group < geometry.groupCount; group++) {
    for (const range of metadataRanges(geometry, group)) free -= range.count;
  }
  return free * ext4.blockBytes;
}

/** The blocks of a directory with its names in byte order behind "." and "..". */
export function encodeDirectory(tree: FileTree, plan: Ext4Plan, directory: number): Buffer {
  const blocks = new DirectoryBlocks();
  const add = (name: Buffer, inode: number) => {
    blocks.add({ name, inode: plan.numbers[inode] ?? 0, type: tree.inodes.typeOf(inode) >> 12 });
  };
  add(Buffer.from("."), directory);
  add(Buffer.from(".."), tree.parentDirectoryOf(directory));
  for (let child = tree.firstChildOf(directory); child !== 0; child = tree.nextOf(child)) {
    add(Buffer.from(tree.nameOf(child), "latin1"), tree.inodeOf(child));
  }
  return blocks.finish();
}
