import type { Op } from "../../base/op.ts";
import { OutputFile } from "../disk/output-file.ts";
import { uuidOf } from "../disk/seed-uuid.ts";
import type { LayerBlob } from "../layer.ts";
import { blockBytes } from "../tree/stored-blocks.ts";
import { unpackLayers } from "../unpack.ts";
import { layOut } from "./layout.ts";
import { writeMetadata } from "./metadata.ts";
import { encodeSuperblock } from "./superblock.ts";

export interface ErofsOptions {
  /** What the image is made of, usually its manifest digest: gives the file system's UUID. */
  readonly seedDigest: string;
  /** The file will be flushed to the disk at its end: begin while it is being written. */
  readonly flushAlong?: boolean;
}

export interface ErofsSummary {
  readonly sizeBytes: number;
  /** Files, directories, links and devices, each inode once. */
  readonly entries: number;
  /** Bytes of the image that hold the data of files. */
  readonly dataBytes: number;
}

/**
 * Unpacks layers, lowest first, into one EROFS image at `outPath` (created or overwritten, 0600).
 * Equal layers and seed give equal bytes. Flushing it to the disk is for whoever
 * publishes the file. A file that was begun is left behind when it fails. Fails with
 * `image_hostile`, `image_corrupt`, `image_digest_mismatch`, `image_unsupported` or `no_space`.
 */
export async function buildErofs(
  op: Op,
  layers: readonly LayerBlob[],
  outPath: string,
  options: ErofsOptions,
): Promise<ErofsSummary> {
  const output = await OutputFile.create(outPath, {
    flushAlong: options.flushAlong === true,
  });
  try {
    const { tree, endBlock } = await unpackLayers(op, layers, output);
    const layout = layOut(tree, endBlock);
    await writeMetadata(op, output, tree, layout);
    const blockCount = layout.metadataBlock + Math.ceil(layout.metadataBytes / blockBytes);
    const superblock = encodeSuperblock({
      rootNid: layout.nids[tree.root] ?? 0,
      inodeCount: tree.inodes.count,
      blockCount,
      metadataBlock: layout.metadataBlock,
      uuid: uuidOf("erofs", options.seedDigest),
      hasChunkedFiles: tree.inodes.sparse.size > 0,
    });
    output.put(0, superblock);
    await output.finish(op, blockCount * blockBytes);
    return {
      sizeBytes: blockCount * blockBytes,
      entries: tree.inodes.count,
      dataBytes: (endBlock - 1) * blockBytes,
    };
  } finally {
    await output.close();
  }
}
