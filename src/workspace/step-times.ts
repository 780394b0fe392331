import { limits } from "../base/limits.ts";
import type { Clock, Progress, ProgressListener } from "../base/op.ts";

/** When a step ran, from the start of the run, in milliseconds rounded to a tenth. */
export interface StepSpan {
  /** Slash-separated path below the root. */
  readonly step: string;
  readonly startMs: number;
  readonly ms: number;
  readonly failed: boolean;
}

const { noticesMax } = limits.message;

/** Steps beyond this many are still added up, but get no span of their own. */
const spansMax = 500;

/** Listens to the steps of one run and passes every event on. */
export class StepTimes {
  readonly listener: ProgressListener;
  readonly #startedAt: number;
  readonly #times = new Map<string, number>();
  readonly #spans: StepSpan[] = [];
  #notices = 0;

  constructor(root: string, clock: Clock, next: ProgressListener = () => {}) {
    const prefix = `${root}/`;
    this.#startedAt = clock.monotonic();
    this.listener = (event: Progress) => {
      if (event.kind === "step-end" && event.path.startsWith(prefix)) {
        const step = event.path.slice(prefix.length);
        this.#times.set(step, (this.#times.get(step) ?? 0) + event.ms);
        if (this.#spans.length < spansMax) {
          const startMs = tenth(clock.monotonic() - this.#startedAt - event.ms);
          this.#spans.push({ step, startMs, ms: tenth(event.ms), failed: event.failed });
        }
      }
      if (event.kind === "note" || event.kind === "warning") {
        this.#notices += 1;
        if (this.#notices === noticesMax + 1)
          next({
            ...event,
            text: `More than ${noticesMax} notices of this run: further ones are not shown`,
          });
        if (this.#notices > noticesMax) return;
      }
      next(event);
    };
  }

  /** How long each step took, all its turns together. */
  totalsMs(): Record<string, number> {
    return Object.fromEntries([...this.#times].map(([name, ms]) => [name, tenth(ms)]));
  }

  /** Every turn of every step, in the order in which they began. */
  spans(): readonly StepSpan[] {
    return this.#spans.toSorted((a, b) => a.startMs - b.startMs);
  }
}

function tenth(ms: number): number {
  return Math.max(0, Math.round(ms * 10) / 10);
}
