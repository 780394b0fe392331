import type { Progress, ProgressListener } from "../base/op.ts";

/** Adds up how long each step took, by its path below the root; listens and passes events on. */
export class StepTimes {
  readonly listener: ProgressListener;
  readonly #times = new Map<string, number>();

  constructor(root: string, next: ProgressListener = () => {}) {
    const prefix = `${root}/`;
    this.listener = (event: Progress) => {
      if (event.kind === "step-end" && event.path.startsWith(prefix)) {
        const name = event.path.slice(prefix.length);
        this.#times.set(name, (this.#times.get(name) ?? 0) + event.ms);
      }
      next(event);
    };
  }

  /** Milliseconds by step, rounded to a tenth. */
  toJSON(): Record<string, number> {
    return Object.fromEntries(
      [...this.#times].map(([name, ms]) => [name, Math.round(ms * 10) / 10]),
    );
  }
}
