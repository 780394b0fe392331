import type { SparseLayout } from "./inodes.ts";

/** Bytes of a block of the images we write. */
export const blockBytes = 4096;

/** Blocks that the data of a file of `size` bytes takes, holes left out. */
export function storedBlocks(size: number, layout: SparseLayout | undefined): number {
  const wholeBlocks = Math.ceil(size / blockBytes);
  if (layout === undefined) return wholeBlocks;
  const chunkBlocks = 2 ** layout.chunkBits;
  let blocks = 0;
  for (let i = 0; i < layout.runs.length; i += 2) {
    const first = (layout.runs[i] ?? 0) * chunkBlocks;
    const end = first + (layout.runs[i + 1] ?? 0) * chunkBlocks;
    // The last chunk ends with the file.
    blocks += Math.min(end, wholeBlocks) - first;
  }
  return blocks;
}
