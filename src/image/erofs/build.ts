import type { Op } from "../../base/op.ts";
import { OutputFile } from "../disk/output-file.ts";
import { uuidOf } from "../disk/seed-uuid.ts";
import { readLayer } from "../layer/read-layer.ts";
import type { LayerBlob } from "../layer.ts";
import { TarReader } from "../tar/reader.ts";
import { LayerApplier } from "../tree/apply.ts";
import { UnpackBudget } from "../tree/budget.ts";
import { fileType } from "../tree/inodes.ts";
import { blockBytes, storedBlocks } from "../tree/stored-blocks.ts";
import { FileTree } from "../tree/tree.ts";
import { DataArea } from "./data-area.ts";
import { layOut } from "./layout.ts";
import { writeMetadata } from "./metadata.ts";
import { encodeSuperblock } from "./superblock.ts";

export interface ErofsOptions {
  /** What the image is made of, usually its manifest digest: gives the file system's UUID. */
  readonly seedDigest: string;
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
 * Equal layers and seed give equal bytes. Nothing is flushed to the disk: that is for whoever
 * publishes the file. A file that was begun is left behind when it fails. Fails with
 * `image_hostile`, `image_corrupt`, `image_digest_mismatch`, `image_unsupported` or `no_space`.
 */
export async function buildErofs(
  op: Op,
  layers: readonly LayerBlob[],
  outPath: string,
  options: ErofsOptions,
): Promise<ErofsSummary> {
  const output = await OutputFile.create(outPath);
  try {
    const area = new DataArea(output);
    const tree = mutableTree(area);
    await applyLayers(op, layers, { tree, area, output });
    const layout = layOut(tree, area.endBlock);
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
      dataBytes: (area.endBlock - 1) * blockBytes,
    };
  } finally {
    await output.close();
  }
}

/** A tree whose files give their blocks back when they are removed. */
function mutableTree(area: DataArea): FileTree {
  const tree = new FileTree((inode) => {
    const { inodes } = tree;
    if (inodes.typeOf(inode) !== fileType.file) return;
    const blocks = storedBlocks(inodes.size[inode] ?? 0, inodes.sparse.get(inode));
    area.free(inodes.location[inode] ?? 0, blocks);
  });
  return tree;
}

interface Target {
  readonly tree: FileTree;
  readonly area: DataArea;
  readonly output: OutputFile;
}

async function applyLayers(op: Op, layers: readonly LayerBlob[], target: Target): Promise<void> {
  const budget = new UnpackBudget();
  const { tree, area, output } = target;
  const total = layers.reduce((sum, layer) => sum + layer.size, 0);
  let done = 0;
  for (const [index, layer] of layers.entries()) {
    const applier = new LayerApplier({ tree, sink: area, budget }, layer, index + 1);
    const reader = new TarReader(layer.digest, applier);
    let unpacked = 0;
    await readLayer(op, layer, (chunk) => {
      unpacked += chunk.length;
      budget.takeBytes(layer, chunk.length);
      budget.checkExpansion(layer, unpacked);
      reader.push(chunk);
      return output.settle(op);
    });
    reader.finish();
    done += layer.size;
    op.report({ kind: "amount", label: "unpacked layers", done, total, unit: "bytes" });
  }
}
