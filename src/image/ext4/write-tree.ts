import type { FileHandle } from "node:fs/promises";
import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { OutputFile } from "../disk/output-file.ts";
import { displayName } from "../tar/entry.ts";
import { fileType } from "../tree/inodes.ts";
import { linkTargetOf } from "../tree/paths.ts";
import { storedBlocks } from "../tree/stored-blocks.ts";
import type { FileTree } from "../tree/tree.ts";
import { type BlockAllocator, piecesFrom } from "./allocator.ts";
import { BlockCopier } from "./copy-data.ts";
import { buildExtentTree, cutExtents, type Extent } from "./extents.ts";
import { ext4, type Geometry, inodePosition } from "./geometry.ts";
import { encodeInode } from "./inode.ts";
import { type Ext4Plan, encodeDirectory, inlineLinkBytesMax } from "./plan.ts";
import { encodeXattrs } from "./xattrs.ts";

interface Parts {
  readonly tree: FileTree;
  readonly plan: Ext4Plan;
  readonly geometry: Geometry;
  readonly allocator: BlockAllocator;
  /** Holds the files' data at the blocks that the tree's inodes name. */
  readonly source: FileHandle;
  readonly output: OutputFile;
}

const inodesPerSettle = 2048;
const linksMax = 65_000;

/**
 * Writes a tree in three passes, each straight ahead through the image: the files' data, then the
 * blocks of directories, links, attributes and extents, then the inodes.
 */
export class TreeWriter {
  /** Directories per group, for the descriptors. */
  readonly directories: Map<number, number> = new Map();
  readonly #parts: Parts;
  /** First block of each inode's content. */
  readonly #first: Uint32Array;
  /** Blocks of directories and links; files have theirs in the tree. */
  readonly #contentBlocks = new Map<number, number>();
  /** The few inodes whose extents need nodes of their own. */
  readonly #roots = new Map<number, { readonly root: Buffer; readonly nodeCount: number }>();
  readonly #xattrBlocks = new Map<number, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#first = new Uint32Array(parts.tree.inodes.end);
  }

  async write(op: Op): Promise<void> {
    await this.#copyFiles(op);
    await this.#eachInode(op, (inode) => this.#writeBlocks(inode));
    await this.#eachInode(op, (inode) => this.#writeInode(inode));
  }

  async #eachInode(op: Op, work: (inode: number) => void): Promise<void> {
    const { order } = this.#parts.plan;
    for (let i = 0; i < order.length; i++) {
      work(order[i] ?? 0);
      if (i % inodesPerSettle !== 0) continue;
      op.check();
      await this.#parts.output.settle(op);
    }
  }

  /** In the order of the source, so that reading and writing both go straight ahead. */
  async #copyFiles(op: Op): Promise<void> {
    const { tree, plan, allocator, source, output } = this.#parts;
    const { inodes } = tree;
    const files = plan.order.filter((inode) => this.#fileBlocks(inode) > 0);
    files.sort((a, b) => (inodes.location[a] ?? 0) - (inodes.location[b] ?? 0));
    const copier = new BlockCopier(source, output);
    for (const inode of files) {
      let from = inodes.location[inode] ?? 0;
      const pieces = allocator.take(this.#fileBlocks(inode));
      this.#first[inode] = pieces[0]?.start ?? 0;
      for (const piece of pieces) {
        await copier.add(op, from, piece.start, piece.count);
        from += piece.count;
      }
    }
    await copier.flush(op);
  }

  #fileBlocks(inode: number): number {
    const { inodes } = this.#parts.tree;
    if (inodes.typeOf(inode) !== fileType.file) return 0;
    return storedBlocks(inodes.size[inode] ?? 0, inodes.sparse.get(inode));
  }

  #writeBlocks(inode: number): void {
    const { allocator, output } = this.#parts;
    const content = this.#contentOf(inode);
    if (content !== null) {
      const count = Math.ceil(content.length / ext4.blockBytes);
      const pieces = allocator.take(count);
      this.#first[inode] = pieces[0]?.start ?? 0;
      this.#contentBlocks.set(inode, count);
      let at = 0;
      for (const piece of pieces) {
        const end = at + piece.count * ext4.blockBytes;
        output.put(piece.start * ext4.blockBytes, content, at, Math.min(end, content.length));
        at = end;
      }
    }
    const xattrs = this.#xattrsOf(inode);
    if (xattrs.block !== null) {
      const block = allocator.takeOne();
      this.#xattrBlocks.set(inode, block);
      output.put(block * ext4.blockBytes, xattrs.block);
    }
    const extents = this.#extentsOf(inode);
    if (extents.length <= 4) return;
    const { root, nodes } = buildExtentTree(extents, () => allocator.takeOne());
    for (const node of nodes) output.put(node.block * ext4.blockBytes, node.bytes);
    this.#roots.set(inode, { root, nodeCount: nodes.length });
  }

  /** What a directory or a long link has in blocks. */
  #contentOf(inode: number): Buffer | null {
    const { tree, plan } = this.#parts;
    if (tree.inodes.isDirectory(inode)) return encodeDirectory(tree, plan, inode);
    const isLongLink =
      tree.inodes.typeOf(inode) === fileType.symlink &&
      (tree.inodes.size[inode] ?? 0) > inlineLinkBytesMax;
    return isLongLink ? Buffer.from(linkTargetOf(tree, inode), "latin1") : null;
  }

  #xattrsOf(inode: number): ReturnType<typeof encodeXattrs> {
    const { tree } = this.#parts;
    const set = tree.xattrSets.get(tree.inodes.xattrs[inode] ?? 0);
    return encodeXattrs(set, () => displayName(tree.pathOfInode(inode)));
  }

  #extentsOf(inode: number): Extent[] {
    const { tree, geometry } = this.#parts;
    const fileBlocks = this.#fileBlocks(inode);
    const count = fileBlocks + (this.#contentBlocks.get(inode) ?? 0);
    if (count === 0) return [];
    const pieces = piecesFrom(geometry, this.#first[inode] ?? 0, count);
    const sparse = tree.inodes.sparse.get(inode);
    const totalBlocks = Math.ceil((tree.inodes.size[inode] ?? 0) / ext4.blockBytes);
    const runs =
      sparse === undefined
        ? [{ start: 0, count }]
        : blockRuns(sparse.runs, 2 ** sparse.chunkBits, totalBlocks);
    return cutExtents(mapRuns(runs, pieces));
  }

  #writeInode(inode: number): void {
    const { tree, plan, geometry, output } = this.#parts;
    const { inodes } = tree;
    const number = plan.numbers[inode] ?? 0;
    const type = inodes.typeOf(inode);
    const links = inodes.links[inode] ?? 0;
    const isDirectory = type === fileType.directory;
    if (isDirectory) {
      const group = Math.floor((number - 1) / geometry.inodesPerGroup);
      this.directories.set(group, (this.directories.get(group) ?? 0) + 1);
    } else if (links > linksMax) {
      throw new MicroagentError(
        "image_unsupported",
        `File "${displayName(tree.pathOfInode(inode))}" has ${links} hard links, ext4 takes ${linksMax}`,
        { hint: "Build the image as EROFS: --format erofs" },
      );
    }
    const deep = this.#roots.get(inode);
    const blocks = this.#fileBlocks(inode) + (this.#contentBlocks.get(inode) ?? 0);
    const xattrBlock = this.#xattrBlocks.get(inode) ?? 0;
    const usesExtents = type === fileType.file || isDirectory || blocks > 0;
    output.put(
      inodePosition(geometry, number),
      encodeInode({
        mode: inodes.mode[inode] ?? 0,
        uid: inodes.uid[inode] ?? 0,
        gid: inodes.gid[inode] ?? 0,
        size: isDirectory ? blocks * ext4.blockBytes : (inodes.size[inode] ?? 0),
        // One means "too many to count" for directories.
        links: isDirectory && links > linksMax ? 1 : links,
        mtimeSeconds: inodes.mtimeSeconds[inode] ?? 0,
        mtimeNanoseconds: inodes.mtimeNanoseconds[inode] ?? 0,
        blocks: blocks + (deep?.nodeCount ?? 0) + (xattrBlock === 0 ? 0 : 1),
        usesExtents,
        blockArea: usesExtents ? (deep?.root ?? this.#shallowRoot(inode)) : this.#inlineArea(inode),
        xattrBlock,
        xattrArea: this.#xattrsOf(inode).inode,
      }),
    );
  }

  #shallowRoot(inode: number): Buffer {
    return buildExtentTree(this.#extentsOf(inode), () => 0).root;
  }

  /** The 60 bytes of an inode without blocks: a short link's target or a device number. */
  #inlineArea(inode: number): Buffer {
    const { tree } = this.#parts;
    const area = Buffer.alloc(60);
    const device = tree.inodes.location[inode] ?? 0;
    switch (tree.inodes.typeOf(inode)) {
      case fileType.symlink:
        area.write(linkTargetOf(tree, inode), "latin1");
        break;
      case fileType.char:
      case fileType.block:
        // Numbers that fit into 16 bits have a place of their own, from times when all did.
        area.writeUInt32LE(device, device < 0x10000 ? 0 : 4);
        break;
    }
    return area;
  }
}

/** The stored runs of a sparse file in blocks; the last chunk ends with the file. */
function blockRuns(
  runs: Float64Array,
  chunkBlocks: number,
  totalBlocks: number,
): { start: number; count: number }[] {
  const result: { start: number; count: number }[] = [];
  for (let i = 0; i < runs.length; i += 2) {
    const start = (runs[i] ?? 0) * chunkBlocks;
    const end = Math.min(start + (runs[i + 1] ?? 0) * chunkBlocks, totalBlocks);
    result.push({ start, count: end - start });
  }
  return result;
}

/** Lays logical runs over pieces of the disk, both taken in order. */
function* mapRuns(
  runs: readonly { readonly start: number; readonly count: number }[],
  pieces: readonly { readonly start: number; readonly count: number }[],
): Generator<Extent> {
  let piece = 0;
  let used = 0;
  for (const run of runs) {
    let done = 0;
    while (done < run.count) {
      const place = pieces[piece];
      if (place === undefined) throw new MicroagentError("internal", "An extent has no blocks");
      const count = Math.min(run.count - done, place.count - used);
      yield { logical: run.start + done, start: place.start + used, count };
      done += count;
      used += count;
      if (used === place.count) {
        piece++;
        used = 0;
      }
    }
  }
}
