import { type FileHandle, open, rm } from "node:fs/promises";
import type { Op } from "../../base/op.ts";
import { OutputFile } from "../disk/output-file.ts";
import { uuidOf } from "../disk/seed-uuid.ts";
import type { LayerBlob } from "../layer.ts";
import { unpackLayers } from "../unpack.ts";
import { BlockAllocator } from "./allocator.ts";
import { ext4 } from "./geometry.ts";
import { chooseGeometry, planTree } from "./plan.ts";
import { writeFrame } from "./write-frame.ts";
import { TreeWriter } from "./write-tree.ts";

export interface Ext4Options {
  /** What the image is made of, usually its manifest digest: gives UUID and hash seed. */
  readonly seedDigest: string;
  /** Size in MiB; when left out the smallest number of whole GiB that leaves 512 MiB free. */
  readonly sizeMib?: number;
  /** Volume name, at most 16 bytes. */
  readonly label?: string;
}

export interface Ext4Summary {
  readonly sizeBytes: number;
  /** Files, directories, links and devices, each inode once. */
  readonly entries: number;
  readonly freeBytes: number;
}

/**
 * Unpacks layers, lowest first, into an ext4 file system with exactly their tree, in a sparse file
 * at `outPath` (created or overwritten, 0600). Equal layers, seed and size give equal bytes. The
 * data is spooled beside the file first. Fails with `invalid_argument` when a pinned size is too
 * small, `image_hostile`, `image_corrupt`, `image_digest_mismatch`, `image_unsupported` or
 * `no_space`.
 */
export async function buildExt4(
  op: Op,
  layers: readonly LayerBlob[],
  outPath: string,
  options: Ext4Options,
): Promise<Ext4Summary> {
  const spoolPath = `${outPath}.spool`;
  const spool = await OutputFile.create(spoolPath);
  try {
    const { tree, endBlock } = await unpackLayers(op, layers, spool);
    await spool.finish(op, endBlock * ext4.blockBytes);
    const source = await open(spoolPath, "r");
    try {
      return await convert(op, tree, source, outPath, options);
    } finally {
      await source.close();
    }
  } finally {
    await spool.close();
    await rm(spoolPath, { force: true });
  }
}

async function convert(
  op: Op,
  tree: Parameters<typeof planTree>[0],
  source: FileHandle,
  outPath: string,
  options: Ext4Options,
): Promise<Ext4Summary> {
  const plan = planTree(tree);
  const geometry = chooseGeometry(plan, options.sizeMib);
  const allocator = new BlockAllocator(geometry);
  const output = await OutputFile.create(outPath);
  try {
    const writer = new TreeWriter({ tree, plan, geometry, allocator, source, output });
    await writer.write(op);
    await writeFrame(op, output, {
      geometry,
      usage: {
        nextBlock: allocator.nextBlock,
        lastInode: plan.lastInode,
        directories: writer.directories,
      },
      uuid: uuidOf("ext4", options.seedDigest),
      hashSeed: uuidOf("ext4-hash", options.seedDigest),
      label: options.label ?? "",
    });
    const wanted = options.sizeMib === undefined ? 0 : options.sizeMib * 2 ** 20;
    const sizeBytes = Math.max(geometry.blockCount * ext4.blockBytes, wanted);
    await output.finish(op, sizeBytes);
    const freeBytes = (geometry.blockCount - allocator.nextBlock) * ext4.blockBytes;
    return { sizeBytes, entries: tree.inodes.count, freeBytes };
  } finally {
    await output.close();
  }
}
