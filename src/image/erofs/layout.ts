import { MicroagentError } from "../../base/errors.ts";
import { fileType } from "../tree/inodes.ts";
import { blockBytes } from "../tree/stored-blocks.ts";
import type { FileTree } from "../tree/tree.ts";
import { directoryBytes } from "./directory.ts";
import { erofs } from "./format.ts";
import { encodeXattrs } from "./xattr-body.ts";

/** Where the metadata of a tree goes, before a byte of it is written. */
export interface ErofsLayout {
  /** Inodes in the order they are written: the root, then each directory's children together. */
  readonly order: Uint32Array;
  /** Slot of each inode in the metadata area, by inode number. */
  readonly nids: Uint32Array;
  /** First of the blocks for directories that do not fit behind their inode. */
  readonly directoryBlock: number;
  /** First block of the metadata area. */
  readonly metadataBlock: number;
  readonly metadataBytes: number;
}

/** How one inode is stored; a pure function of the tree and the inode's place. */
export interface InodeShape {
  readonly layout: number;
  readonly xattrBytes: number;
  /** Bytes of data or of chunk addresses behind the attributes. */
  readonly inlineBytes: number;
  /** Directory: whole blocks outside. */
  readonly outerBlocks: number;
}

/** Lays the tree out behind `firstBlock`; sorts every directory and sets directories' sizes. */
export function layOut(tree: FileTree, firstBlock: number): ErofsLayout {
  const { inodes } = tree;
  const order = new Uint32Array(inodes.count);
  const nids = new Uint32Array(inodes.end);
  const shapes = new InodeShapes(tree);
  let count = 0;
  // Number 0 would be a legal inode but an illegal inode number: directory listings skip it.
  let position: number = erofs.inodeBytes;
  let outerBlocks = 0;

  const place = (inode: number) => {
    if (inodes.isDirectory(inode)) {
      tree.sortChildren(inode);
      inodes.size[inode] = directoryBytes(tree, inode);
    }
    const shape = shapes.of(inode);
    position = placeFor(position, shape);
    nids[inode] = position / erofs.slotBytes;
    order[count++] = inode;
    position += erofs.inodeBytes + shape.xattrBytes;
    position = alignUp(
      position + alignmentOf(position, shape) + shape.inlineBytes,
      erofs.slotBytes,
    );
    outerBlocks += shape.outerBlocks;
    if (position / erofs.slotBytes > 0xffffffff) {
      throw new MicroagentError("image_unsupported", "The image has more than 128 GiB of metadata");
    }
  };

  place(tree.root);
  for (let next = 0; next < count; next++) {
    const directory = order[next] ?? 0;
    if (!inodes.isDirectory(directory)) continue;
    for (let child = tree.firstChildOf(directory); child !== 0; child = tree.nextOf(child)) {
      const inode = tree.inodeOf(child);
      // A file with several names is placed at its first; no inode has slot 0.
      if (nids[inode] === 0) place(inode);
    }
  }
  return {
    order,
    nids,
    directoryBlock: firstBlock,
    metadataBlock: firstBlock + outerBlocks,
    metadataBytes: position,
  };
}

/** Shapes of inodes, with the sizes of attribute sets remembered. */
export class InodeShapes {
  readonly #tree: FileTree;
  readonly #xattrBytes = new Map<number, number>();

  constructor(tree: FileTree) {
    this.#tree = tree;
  }

  of(inode: number): InodeShape {
    const { inodes } = this.#tree;
    const xattrBytes = this.#xattrBytesOf(inodes.xattrs[inode] ?? 0);
    const size = inodes.size[inode] ?? 0;
    const sparse = inodes.sparse.get(inode);
    if (sparse !== undefined) {
      const chunks = Math.ceil(size / (blockBytes * 2 ** sparse.chunkBits));
      return { layout: erofs.layoutChunks, xattrBytes, inlineBytes: chunks * 4, outerBlocks: 0 };
    }
    const type = inodes.typeOf(inode);
    if (type === fileType.symlink) {
      return inlineFits(xattrBytes, size)
        ? { layout: erofs.layoutInline, xattrBytes, inlineBytes: size, outerBlocks: 0 }
        : { layout: erofs.layoutPlain, xattrBytes, inlineBytes: 0, outerBlocks: 1 };
    }
    if (type !== fileType.directory) {
      return { layout: erofs.layoutPlain, xattrBytes, inlineBytes: 0, outerBlocks: 0 };
    }
    const tail = size % blockBytes;
    const blocks = Math.floor(size / blockBytes);
    return tail > 0 && inlineFits(xattrBytes, tail)
      ? { layout: erofs.layoutInline, xattrBytes, inlineBytes: tail, outerBlocks: blocks }
      : {
          layout: erofs.layoutPlain,
          xattrBytes,
          inlineBytes: 0,
          outerBlocks: blocks + Math.sign(tail),
        };
  }

  #xattrBytesOf(set: number): number {
    if (set === 0) return 0;
    const known = this.#xattrBytes.get(set);
    if (known !== undefined) return known;
    const bytes = encodeXattrs(this.#tree.xattrSets.get(set)).length;
    this.#xattrBytes.set(set, bytes);
    return bytes;
  }
}

/** Inline data must lie in one block; behind many attributes that is only sure for short data. */
function inlineFits(xattrBytes: number, inlineBytes: number): boolean {
  const before = (erofs.inodeBytes + xattrBytes) % blockBytes;
  return alignUp(before, erofs.slotBytes) + inlineBytes <= blockBytes;
}

/** The next place where neither the inode itself nor its inline data straddles two blocks. */
function placeFor(from: number, shape: InodeShape): number {
  for (let position = from; ; position += erofs.slotBytes) {
    if ((position % blockBytes) + erofs.inodeBytes > blockBytes) continue;
    if (shape.layout !== erofs.layoutInline) return position;
    const inlineAt = position + erofs.inodeBytes + shape.xattrBytes;
    if ((inlineAt % blockBytes) + shape.inlineBytes <= blockBytes) return position;
  }
}

/** Chunk addresses are 4 bytes each and aligned so; attributes are multiples of 4 already. */
function alignmentOf(position: number, shape: InodeShape): number {
  return shape.layout === erofs.layoutChunks ? (4 - (position % 4)) % 4 : 0;
}

function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
