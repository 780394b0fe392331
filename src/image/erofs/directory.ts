import { blockBytes } from "../tree/stored-blocks.ts";
import type { FileTree } from "../tree/tree.ts";
import { direntTypes, erofs } from "./format.ts";

/** What an inode gets as its number: 32-byte slots from the start of the metadata area. */
export type NidOf = (inode: number) => number;

/** One entry to be packed; `dirent` 0 is "." and -1 "..". */
interface Packed {
  readonly dirent: number;
  readonly nameBytes: number;
}

/**
 * Bytes of a directory's data. Children must be sorted; "." and ".." are sorted in among them, as
 * lookups search by halving.
 */
export function directoryBytes(tree: FileTree, directory: number): number {
  let total = 0;
  let used = 0;
  for (const { nameBytes } of entriesOf(tree, directory)) {
    const bytes = erofs.direntBytes + nameBytes;
    if (used + bytes > blockBytes) {
      total += blockBytes;
      used = 0;
    }
    used += bytes;
  }
  return total + used;
}

/** Writes a directory's data into `target` at `at`, zeros between the blocks' ends included. */
export function writeDirectory(
  tree: FileTree,
  directory: number,
  nidOf: NidOf,
  target: Buffer,
  at: number,
): void {
  let block: Packed[] = [];
  let used = 0;
  let position = at;
  for (const entry of entriesOf(tree, directory)) {
    const bytes = erofs.direntBytes + entry.nameBytes;
    if (used + bytes > blockBytes) {
      writeBlock(tree, directory, nidOf, block, target, position);
      target.fill(0, position + used, position + blockBytes);
      position += blockBytes;
      block = [];
      used = 0;
    }
    block.push(entry);
    used += bytes;
  }
  writeBlock(tree, directory, nidOf, block, target, position);
}

function writeBlock(
  tree: FileTree,
  directory: number,
  nidOf: NidOf,
  block: readonly Packed[],
  target: Buffer,
  position: number,
): void {
  let entryAt = position;
  let nameAt = position + block.length * erofs.direntBytes;
  for (const { dirent, nameBytes } of block) {
    const inode = inodeOf(tree, directory, dirent);
    const nid = nidOf(inode);
    target.writeUInt32LE(nid >>> 0, entryAt);
    target.writeUInt32LE(Math.floor(nid / 2 ** 32), entryAt + 4);
    target.writeUInt16LE(nameAt - position, entryAt + 8);
    target.writeUInt8(direntTypes[tree.inodes.typeOf(inode) >>> 12] ?? 0, entryAt + 10);
    target.writeUInt8(0, entryAt + 11);
    if (dirent > 0) tree.copyName(dirent, target, nameAt);
    else target.fill(0x2e, nameAt, nameAt + nameBytes);
    entryAt += erofs.direntBytes;
    nameAt += nameBytes;
  }
}

function inodeOf(tree: FileTree, directory: number, dirent: number): number {
  if (dirent > 0) return tree.inodeOf(dirent);
  return dirent === 0 ? directory : tree.parentDirectoryOf(directory);
}

function* entriesOf(tree: FileTree, directory: number): Generator<Packed> {
  const dots: Packed[] = [
    { dirent: -1, nameBytes: 2 },
    { dirent: 0, nameBytes: 1 },
  ];
  for (let child = tree.firstChildOf(directory); child !== 0; child = tree.nextOf(child)) {
    for (let dot = dots.at(-1); dot !== undefined; dot = dots.at(-1)) {
      if (tree.compareName(child, "..".slice(0, dot.nameBytes)) < 0) break;
      yield dot;
      dots.pop();
    }
    yield { dirent: child, nameBytes: tree.nameLengthOf(child) };
  }
  while (dots.length > 0) {
    const dot = dots.pop();
    if (dot !== undefined) yield dot;
  }
}
