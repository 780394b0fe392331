import { type Op, realClock, startOp } from "../../src/index.ts";
import type { Timeouts } from "../options.ts";

export interface CallBound {
  /** Milliseconds for this call. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Before Vitest's own deadline, so that the answer says what was waited for. */
const earlyMs = 250;

/** The time that a machine's calls have: that of the test it belongs to. */
export class Life {
  readonly timeouts: Timeouts;
  readonly #signal: AbortSignal | undefined;
  readonly #deadline: number;

  /** @param testMs what the test may take from now on, 0 for no limit */
  constructor(timeouts: Timeouts, signal: AbortSignal | undefined, testMs: number) {
    this.timeouts = timeouts;
    // A retry may begin with the signal of the attempt that ran out of time.
    this.#signal = signal?.aborted === true ? undefined : signal;
    this.#deadline =
      testMs <= 0 ? Number.POSITIVE_INFINITY : realClock.monotonic() + testMs - earlyMs;
  }

  /** What is left of `wanted` milliseconds in this life. */
  bound(wanted: number): number {
    return Math.max(1, Math.floor(Math.min(wanted, this.#deadline - realClock.monotonic())));
  }

  /** Runs `work` within `bound`, else `fallbackMs`, and never beyond the test. */
  async during<T>(
    name: string,
    bound: CallBound & { readonly onNote?: (text: string) => void },
    fallbackMs: number,
    work: (op: Op) => Promise<T>,
  ): Promise<T> {
    const signals = [this.#signal, bound.signal].filter((each) => each !== undefined);
    const { op, end } = startOp(name, {
      timeoutMs: this.bound(bound.timeout ?? fallbackMs),
      ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
      onProgress: (event) => {
        if (event.kind === "note") bound.onNote?.(event.text);
      },
    });
    try {
      op.check();
      return await op.race(work(op));
    } finally {
      end();
    }
  }
}
