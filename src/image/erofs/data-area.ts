import { MicroagentError } from "../../base/errors.ts";
import type { OutputFile } from "../disk/output-file.ts";
import type { SparseExtent } from "../tar/entry.ts";
import type { DataSink, PlacedSparse } from "../tree/data-sink.ts";
import type { SparseLayout } from "../tree/inodes.ts";
import { blockBytes, storedBlocks } from "../tree/stored-blocks.ts";
import { FreeSpace } from "./free-space.ts";

/** More chunks than this and a sparse file gets larger ones: the map stays below 4 MiB. */
const chunksMax = 1 << 20;
/** Block numbers have 32 bits, and the highest one means a hole. */
const blocksMax = 2 ** 32 - 2;
const zeros = new Uint8Array(blockBytes);

/**
 * The part of the image that holds the files' data: every file in one run of blocks, written as
 * it comes. Runs of files that were replaced are used again, so the area never grows far beyond
 * what the tree holds.
 */
export class DataArea implements DataSink {
  readonly #output: OutputFile;
  readonly #space = new FreeSpace();
  /** First block behind the area. */
  #endBlock = 1;
  #position = 0;
  /** Ends of the data in the image, for a sparse file: `position` jumps from one to the next. */
  #pieces: { position: number; length: number }[] = [];
  #pieceLeft = Number.POSITIVE_INFINITY;
  #runEnd = 0;

  /** The area begins at block 1: block 0 is the superblock's. */
  constructor(output: OutputFile) {
    this.#output = output;
  }

  get endBlock(): number {
    return this.#endBlock;
  }

  begin(size: number): number {
    const count = Math.ceil(size / blockBytes);
    const first = this.#space.take(count) ?? this.#append(count);
    this.#position = first * blockBytes;
    this.#pieces = [];
    this.#pieceLeft = Number.POSITIVE_INFINITY;
    this.#runEnd = (first + count) * blockBytes;
    return first;
  }

  beginSparse(size: number, extents: readonly SparseExtent[]): PlacedSparse {
    const layout = layoutOf(size, extents);
    // Always new blocks: what is not written to in there must read as zeros.
    const count = storedBlocks(size, layout);
    const firstBlock = count === 0 ? 0 : this.#append(count);
    this.#pieces = placeExtents(extents, layout, firstBlock).reverse();
    this.#pieceLeft = 0;
    return { firstBlock, layout };
  }

  write(chunk: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#pieceLeft === 0) {
        const piece = this.#pieces.pop();
        if (piece === undefined) throw new MicroagentError("internal", "A sparse file overflows");
        this.#position = piece.position;
        this.#pieceLeft = piece.length;
      }
      const take = Math.min(end - at, this.#pieceLeft);
      this.#output.put(this.#position, chunk, at, at + take);
      this.#position += take;
      this.#pieceLeft -= take;
      at += take;
    }
  }

  end(): void {
    if (this.#pieceLeft !== Number.POSITIVE_INFINITY) return;
    // Blocks that are used a second time may hold another file's bytes behind the end.
    this.#output.put(this.#position, zeros, 0, this.#runEnd - this.#position);
  }

  free(firstBlock: number, blockCount: number): void {
    if (blockCount === 0) return;
    this.#space.give(firstBlock, blockCount);
  }

  #append(count: number): number {
    const first = this.#endBlock;
    if (first + count > blocksMax) {
      throw new MicroagentError("image_unsupported", "The image holds more than 16 TiB of data");
    }
    this.#endBlock += count;
    return first;
  }
}

/** The smallest chunks that keep the map small, and the runs of chunks that have data in them. */
function layoutOf(size: number, extents: readonly SparseExtent[]): SparseLayout {
  let chunkBits = 0;
  while (size / (blockBytes * 2 ** chunkBits) > chunksMax) chunkBits++;
  const chunkBytes = blockBytes * 2 ** chunkBits;
  const runs: number[] = [];
  let end = -1;
  for (const { offset, length } of extents) {
    const first = Math.max(end, Math.floor(offset / chunkBytes));
    const last = Math.ceil((offset + length) / chunkBytes);
    if (last <= first) continue;
    if (first === end) runs[runs.length - 1] = (runs.at(-1) ?? 0) + last - first;
    else runs.push(first, last - first);
    end = last;
  }
  return { chunkBits, runs: Float64Array.from(runs) };
}

/** Where in the image the extents of a sparse file go. */
function placeExtents(
  extents: readonly SparseExtent[],
  layout: SparseLayout,
  firstBlock: number,
): { position: number; length: number }[] {
  const chunkBytes = blockBytes * 2 ** layout.chunkBits;
  let run = 0;
  let runPosition = firstBlock * blockBytes;
  return extents.map(({ offset, length }) => {
    // Each extent lies inside one run: runs are unions of whole extents.
    let start = (layout.runs[run] ?? 0) * chunkBytes;
    let bytes = (layout.runs[run + 1] ?? 0) * chunkBytes;
    while (offset >= start + bytes) {
      runPosition += bytes;
      run += 2;
      start = (layout.runs[run] ?? 0) * chunkBytes;
      bytes = (layout.runs[run + 1] ?? 0) * chunkBytes;
    }
    return { position: runPosition + offset - start, length };
  });
}
