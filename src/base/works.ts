import type { Clock, Op } from "./op.ts";

/** A root op and what belongs to it. */
export interface StartedOp {
  readonly op: Op;
  /** Always called, so that its timer goes away. */
  readonly end: () => void;
  /** As `Op.race`, for work whose own end counts for `settled`. */
  readonly watch: <T>(work: Promise<T>) => Promise<T>;
  /**
   * Resolves when the steps that were begun have really ended, or after `ms`: a step that is aborted is given up at once,
   * while what it made is still being removed.
   */
  readonly settled: (ms: number) => Promise<void>;
}

/** Work below one root op that has not come to its own end yet. */
export class Works {
  readonly #running = new Set<Promise<unknown>>();

  add<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    const over = () => this.#running.delete(work);
    work.then(over, over);
    return work;
  }

  async settled(clock: Clock, ms: number): Promise<void> {
    let isLate = false;
    let cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(ms, () => {
        isLate = true;
        resolve();
      });
    });
    // One may begin another before it ends.
    while (this.#running.size > 0 && !isLate) {
      await Promise.race([Promise.allSettled(this.#running), late]);
    }
    cancel();
  }
}
