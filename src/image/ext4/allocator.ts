import { MicroagentError } from "../../base/errors.ts";
import { type BlockRange, ext4, type Geometry, groupBlocks, metadataRanges } from "./geometry.ts";

/**
 * Hands out blocks from the front to the back, going around the metadata. Everything before
 * `nextBlock` is thus in use, which is all that the bitmaps need to know, and a run of blocks is
 * known by its first block and its length.
 */
export class BlockAllocator {
  readonly #geometry: Geometry;
  #next = 0;

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
  }

  /** Blocks before this one are in use. */
  get nextBlock(): number {
    return this.#next;
  }

  /** `count` blocks in as few pieces as there can be; `no_space` when they are not there. */
  take(count: number): BlockRange[] {
    const pieces = piecesFrom(this.#geometry, this.#next, count);
    const last = pieces.at(-1);
    if (last !== undefined) this.#next = last.start + last.count;
    return pieces;
  }

  /** One block. */
  takeOne(): number {
    return this.take(1)[0]?.start ?? 0;
  }
}

/** The pieces of a run of `count` blocks that was handed out from `start` on. */
export function piecesFrom(geometry: Geometry, start: number, count: number): BlockRange[] {
  const pieces: BlockRange[] = [];
  let left = count;
  let next = start;
  while (left > 0) {
    const free = nextFree(geometry, next);
    const take = Math.min(left, free.count);
    const last = pieces.at(-1);
    if (last !== undefined && last.start + last.count === free.start) {
      pieces[pieces.length - 1] = { start: last.start, count: last.count + take };
    } else {
      pieces.push({ start: free.start, count: take });
    }
    next = free.start + take;
    left -= take;
  }
  return pieces;
}

/** The next blocks of one group that hold no metadata, at least one. */
function nextFree(geometry: Geometry, from: number): BlockRange {
  let start = from;
  for (;;) {
    if (start >= geometry.blockCount) {
      throw new MicroagentError("no_space", "The ext4 file system is too small for the image");
    }
    const group = Math.floor(start / ext4.blocksPerGroup);
    const ranges = metadataRanges(geometry, group);
    const inside = ranges.find(
      (range) => range.start <= start && start < range.start + range.count,
    );
    if (inside === undefined) {
      const groupEnd = group * ext4.blocksPerGroup + groupBlocks(geometry, group);
      const following = ranges.find((range) => range.start > start);
      return { start, count: (following?.start ?? groupEnd) - start };
    }
    start = inside.start + inside.count;
  }
}
