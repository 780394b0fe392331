import type { Op } from "../../base/op.ts";
import type { OutputFile } from "../disk/output-file.ts";
import { fileType, type SparseLayout } from "../tree/inodes.ts";
import { linkTargetOf } from "../tree/paths.ts";
import { blockBytes } from "../tree/stored-blocks.ts";
import type { FileTree } from "../tree/tree.ts";
import { writeDirectory } from "./directory.ts";
import { erofs } from "./format.ts";
import { type ErofsLayout, type InodeShape, InodeShapes } from "./layout.ts";
import { encodeXattrs, xattrCount } from "./xattr-body.ts";

const inodesPerSettle = 2048;

/** Writes everything of a tree but the files' data: inodes, attributes, links and directories. */
export async function writeMetadata(
  op: Op,
  output: OutputFile,
  tree: FileTree,
  layout: ErofsLayout,
): Promise<void> {
  const writer = new MetadataWriter(output, tree, layout);
  // The blocks outside come first: both passes write straight ahead, which keeps writes large.
  for (const step of ["outside", "inodes"] as const) {
    for (let i = 0; i < layout.order.length; i++) {
      const inode = layout.order[i] ?? 0;
      if (step === "outside") writer.writeOutside(inode);
      else writer.writeInode(inode, i + 1);
      if (i % inodesPerSettle === 0) {
        op.check();
        await output.settle(op);
      }
    }
  }
}

class MetadataWriter {
  readonly #output: OutputFile;
  readonly #tree: FileTree;
  readonly #layout: ErofsLayout;
  readonly #shapes: InodeShapes;
  readonly #nidOf: (inode: number) => number;
  readonly #xattrBodies = new Map<number, Buffer>();
  /** First outer block of each inode that has some. */
  readonly #outerBlock = new Map<number, number>();
  #nextOuterBlock: number;
  #scratch = Buffer.alloc(64 * 1024);
  #written: number;

  constructor(output: OutputFile, tree: FileTree, layout: ErofsLayout) {
    this.#output = output;
    this.#tree = tree;
    this.#layout = layout;
    this.#shapes = new InodeShapes(tree);
    this.#nidOf = (inode) => layout.nids[inode] ?? 0;
    this.#nextOuterBlock = layout.directoryBlock;
    this.#written = layout.metadataBlock * blockBytes;
  }

  writeOutside(inode: number): void {
    const type = this.#tree.inodes.typeOf(inode);
    if (type !== fileType.directory && type !== fileType.symlink) return;
    const shape = this.#shapes.of(inode);
    if (shape.outerBlocks === 0) return;
    const bytes = shape.outerBlocks * blockBytes;
    const data = this.#content(inode);
    this.#output.put(this.#nextOuterBlock * blockBytes, data, 0, bytes);
    this.#outerBlock.set(inode, this.#nextOuterBlock);
    this.#nextOuterBlock += shape.outerBlocks;
  }

  writeInode(inode: number, serial: number): void {
    const { inodes } = this.#tree;
    const shape = this.#shapes.of(inode);
    const xattrs = this.#xattrBody(inodes.xattrs[inode] ?? 0);
    const end = erofs.inodeBytes + shape.xattrBytes + shape.inlineBytes;
    const bytes = Buffer.alloc(end);
    const seconds = BigInt(inodes.mtimeSeconds[inode] ?? 0);
    bytes.writeUInt16LE((shape.layout << 1) | 1, 0);
    bytes.writeUInt16LE(xattrCount(xattrs), 2);
    bytes.writeUInt16LE(inodes.mode[inode] ?? 0, 4);
    bytes.writeBigUInt64LE(BigInt(inodes.size[inode] ?? 0), 8);
    bytes.writeUInt32LE(this.#union(inode, shape), 16);
    bytes.writeUInt32LE(serial, 20);
    bytes.writeUInt32LE(inodes.uid[inode] ?? 0, 24);
    bytes.writeUInt32LE(inodes.gid[inode] ?? 0, 28);
    bytes.writeBigInt64LE(seconds, 32);
    bytes.writeUInt32LE(inodes.mtimeNanoseconds[inode] ?? 0, 40);
    bytes.writeUInt32LE(inodes.links[inode] ?? 0, 44);
    bytes.set(xattrs, erofs.inodeBytes);
    this.#writeInline(inode, shape, bytes, erofs.inodeBytes + shape.xattrBytes);

    const position = this.#layout.metadataBlock * blockBytes + this.#nidOf(inode) * erofs.slotBytes;
    this.#output.put(this.#written, zeros, 0, position - this.#written);
    this.#output.put(position, bytes);
    this.#written = position + end;
  }

  #writeInline(inode: number, shape: InodeShape, bytes: Buffer, at: number): void {
    if (shape.inlineBytes === 0) return;
    const sparse = this.#tree.inodes.sparse.get(inode);
    if (sparse !== undefined) {
      writeChunkMap(bytes, at, sparse, this.#tree.inodes.location[inode] ?? 0);
      return;
    }
    const start = shape.outerBlocks * blockBytes;
    bytes.set(this.#content(inode).subarray(start, start + shape.inlineBytes), at);
  }

  /** The field whose meaning depends on the inode: block, device number or chunk format. */
  #union(inode: number, shape: InodeShape): number {
    const { inodes } = this.#tree;
    const sparse = inodes.sparse.get(inode);
    if (sparse !== undefined) return sparse.chunkBits;
    const size = inodes.size[inode] ?? 0;
    switch (inodes.typeOf(inode)) {
      case fileType.char:
      case fileType.block:
        return inodes.location[inode] ?? 0;
      case fileType.directory:
      case fileType.symlink:
        return shape.outerBlocks > 0
          ? (this.#outerBlock.get(inode) ?? erofs.nullBlock)
          : erofs.nullBlock;
      case fileType.file:
        return size > 0 ? (inodes.location[inode] ?? 0) : erofs.nullBlock;
      default:
        return 0;
    }
  }

  /** Data of a directory or a link, padded with zeros to whole blocks; valid until the next call. */
  #content(inode: number): Buffer {
    const size = this.#tree.inodes.size[inode] ?? 0;
    const padded = Math.ceil(size / blockBytes) * blockBytes;
    if (padded > this.#scratch.length) this.#scratch = Buffer.alloc(padded * 2);
    if (this.#tree.inodes.isDirectory(inode)) {
      writeDirectory(this.#tree, inode, this.#nidOf, this.#scratch, 0);
    } else {
      this.#scratch.write(linkTargetOf(this.#tree, inode), 0, "latin1");
    }
    this.#scratch.fill(0, size, padded);
    return this.#scratch;
  }

  #xattrBody(set: number): Buffer {
    const known = this.#xattrBodies.get(set);
    if (known !== undefined) return known;
    const body = encodeXattrs(this.#tree.xattrSets.get(set));
    this.#xattrBodies.set(set, body);
    return body;
  }
}

/** One block address per chunk, in order; all ones for a hole. */
function writeChunkMap(bytes: Buffer, at: number, sparse: SparseLayout, firstBlock: number): void {
  bytes.fill(0xff, at);
  const chunkBlocks = 2 ** sparse.chunkBits;
  let block = firstBlock;
  for (let i = 0; i < sparse.runs.length; i += 2) {
    const first = sparse.runs[i] ?? 0;
    const count = sparse.runs[i + 1] ?? 0;
    for (let chunk = first; chunk < first + count; chunk++) {
      bytes.writeUInt32LE(block, at + chunk * 4);
      block += chunkBlocks;
    }
  }
}

/** Longer than any gap: nothing is moved by more than two blocks. */
const zeros = new Uint8Array(4 * blockBytes);
