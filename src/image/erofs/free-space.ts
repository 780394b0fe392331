/** Runs looked at for one file: layers made to leave crumbs behind must not make it slow. */
const searchedRunsMax = 2048;

/** Block runs of the image that no file uses any more, in order and joined with their neighbours. */
export class FreeSpace {
  readonly #starts: number[] = [];
  readonly #counts: number[] = [];

  /** Takes `count` blocks in one piece from the first run that has them; null when none has. */
  take(count: number): number | null {
    const searched = Math.min(this.#counts.length, searchedRunsMax);
    let at = 0;
    while (at < searched && (this.#counts[at] ?? 0) < count) at++;
    if (at === searched) return null;
    const start = this.#starts[at] ?? 0;
    const left = (this.#counts[at] ?? 0) - count;
    if (left === 0) {
      this.#starts.splice(at, 1);
      this.#counts.splice(at, 1);
    } else {
      this.#starts[at] = start + count;
      this.#counts[at] = left;
    }
    return start;
  }

  give(start: number, count: number): void {
    const at = this.#indexAfter(start);
    const endsAtNext = this.#starts[at] === start + count;
    const previousStart = this.#starts[at - 1];
    const previousCount = this.#counts[at - 1] ?? 0;
    const startsAtPrevious = previousStart !== undefined && previousStart + previousCount === start;
    if (startsAtPrevious && endsAtNext) {
      this.#counts[at - 1] = previousCount + count + (this.#counts[at] ?? 0);
      this.#starts.splice(at, 1);
      this.#counts.splice(at, 1);
    } else if (startsAtPrevious) {
      this.#counts[at - 1] = previousCount + count;
    } else if (endsAtNext) {
      this.#starts[at] = start;
      this.#counts[at] = count + (this.#counts[at] ?? 0);
    } else {
      this.#starts.splice(at, 0, start);
      this.#counts.splice(at, 0, count);
    }
  }

  /** Index of the first run behind `start`. */
  #indexAfter(start: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
