import { type Clock, type Op, startOp } from "../base/op.ts";
import { settledWithin } from "./settled-within.ts";

/** How long a part of a run's end may take. */
export interface EndingBound {
  readonly timeoutMs: number;
  /** When it has to be over where the run was interrupted, from that moment on. */
  readonly interruptedMs: number;
  /** What it gets however late it begins. */
  readonly leastMs: number;
}

/** What work gets that was aborted, to return what it has. */
const settleMs = 200;

/** The caller's wish for the end of a run, and when it came. */
export class Interrupt {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  #at = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, signal: AbortSignal | undefined) {
    this.#clock = clock;
    this.#signal = signal;
    this.#whenItComes(() => {
      this.#at = clock.monotonic();
    });
  }

  /**
   * Runs work that an interrupt does not end at once, because the run is over or about to be: it gets a moment, and
   * another one to return what it has. Fails as `work` does, or when its time is over.
   */
  async give<T>(op: Op, bound: EndingBound, work: (op: Op) => Promise<T>): Promise<T> {
    const patience = new AbortController();
    let cancel = () => {};
    const forget = this.#whenItComes(() => {
      const left = this.#at + bound.interruptedMs - this.#clock.monotonic();
      const abort = () => patience.abort(this.#signal?.reason);
      cancel = this.#clock.after(Math.max(bound.leastMs, left), abort);
    });
    const { clock, path } = op;
    const own = startOp(path, { timeoutMs: bound.timeoutMs, signal: patience.signal, clock });
    const working = work(own.op);
    try {
      return await own.op.race(working);
    } catch (error) {
      const late = own.op.signal.aborted ? await settledWithin(clock, working, settleMs) : null;
      if (late !== null) return late;
      throw error;
    } finally {
      own.end();
      forget();
      cancel();
    }
  }

  #whenItComes(act: () => void): () => void {
    const signal = this.#signal;
    if (signal === undefined) return () => {};
    if (signal.aborted) {
      act();
      return () => {};
    }
    signal.addEventListener("abort", act, { once: true });
    return () => signal.removeEventListener("abort", act);
  }
}
