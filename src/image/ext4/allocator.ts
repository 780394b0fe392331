import { MicroagentError } from "../../base/errors.ts";
import { type BlockRange, ext4, type Geometry, groupBlocks, metadataRanges } from "./geometry.ts";

/**
 * Hands out blocks from the front to the back, going around the metadata. Everything before
 * `nextBlock` is thus in use, which is all that the bitmaps need to know.
 */
export class BlockAllocator {
  readonly #geometry: Geometry;
  #next = 0;

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
  }

  get nextBlock(): number {
    return this.#next;
  }

  /** `count` blocks in as few pieces as there can be; `no_space` when they are not there. */
  take(count: number): BlockRange[] {
    const pieces: BlockRange[] = [];
    let left = count;
    while (left > 0) {
      const free = this.#nextFree();
      const take = Math.min(left, free.count);
      const last = pieces.at(-1);
      if (last !== undefined && last.start + last.count === free.start) {
        pieces[pieces.length - 1] = { start: last.start, count: last.count + take };
      } else {
        pieces.push({ start: free.start, count: take });
      }
      this.#next = free.start + take;
      left -= take;
    }
    return pieces;
  }

  /** The next free blocks of a group, at least one. */
  #nextFree(): BlockRange {
    for (;;) {
      if (this.#next >= this.#geometry.blockCount) {
        throw new MicroagentError("no_space", "The ext4 file system is too small for the image");
      }
      const group = Math.floor(this.#next / ext4.blocksPerGroup);
      const ranges = metadataRanges(this.#geometry, group);
      const inside = ranges.find((r) => r.start <= this.#next && this.#next < r.start + r.count);
      if (inside !== undefined) {
        this.#next = inside.start + inside.count;
        continue;
      }
      const groupEnd = group * ext4.blocksPerGroup + groupBlocks(this.#geometry, group);
      const following = ranges.find((range) => range.start > this.#next);
      return { start: this.#next, count: (following?.start ?? groupEnd) - this.#next };
    }
  }
}
