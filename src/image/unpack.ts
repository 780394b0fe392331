import type { Op } from "../base/op.ts";
import type { OutputFile } from "./disk/output-file.ts";
import { DataArea } from "./erofs/data-area.ts";
import { readAhead } from "./layer/read-ahead.ts";
import { readLayer } from "./layer/read-layer.ts";
import type { LayerBlob } from "./layer.ts";
import { TarReader } from "./tar/reader.ts";
import { LayerApplier } from "./tree/apply.ts";
import { UnpackBudget } from "./tree/budget.ts";
import { fileType } from "./tree/inodes.ts";
import { storedBlocks } from "./tree/stored-blocks.ts";
import { FileTree } from "./tree/tree.ts";

/** The merged tree of an image, its files' data lying in the blocks that its inodes name. */
export interface UnpackedImage {
  readonly tree: FileTree;
  /** First block behind the data; the data starts at block 1. */
  readonly endBlock: number;
}

/**
 * Applies layers, lowest first, in one pass: the tree stays in memory as columns of numbers, file
 * data goes straight to `output`. Fails with `image_hostile`, `image_corrupt`,
 * `image_digest_mismatch`, `image_unsupported` or `no_space`.
 */
export async function unpackLayers(
  op: Op,
  layers: readonly LayerBlob[],
  output: OutputFile,
): Promise<UnpackedImage> {
  const area = new DataArea(output);
  const tree = treeOver(area);
  const budget = new UnpackBudget();
  const total = layers.reduce((sum, layer) => sum + layer.size, 0);
  let done = 0;
  let number = 0;
  for (const open of readAhead(layers)) {
    const { layer } = open;
    number++;
    const applier = new LayerApplier({ tree, sink: area, budget }, layer, number);
    const reader = new TarReader(layer.digest, applier);
    let unpacked = 0;
    await readLayer(op, open, (chunk) => {
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
  return { tree, endBlock: area.endBlock };
}

/** A tree whose files give their blocks back when they are removed. */
function treeOver(area: DataArea): FileTree {
  const tree: FileTree = new FileTree((inode) => {
    const { inodes } = tree;
    if (inodes.typeOf(inode) !== fileType.file) return;
    const blocks = storedBlocks(inodes.size[inode] ?? 0, inodes.sparse.get(inode));
    area.free(inodes.location[inode] ?? 0, blocks);
  });
  return tree;
}
