import type { AnnotationProperties } from "@actions/core";

/** The runner shows ten of each kind for a step; some are left for others. */
const eachMax = 5;
/** It cuts a message at 4096 characters. */
const messageLength = 4000;

export interface AnnotationSink {
  error(message: string, properties?: AnnotationProperties): void;
  warning(message: string, properties?: AnnotationProperties): void;
  notice(message: string, properties?: AnnotationProperties): void;
}

/** Annotations within the runner's budget; what is over it is counted in a last one. */
export class Annotations {
  readonly #sink: AnnotationSink;
  readonly #counts = { error: 0, warning: 0, notice: 0 };

  constructor(sink: AnnotationSink) {
    this.#sink = sink;
  }

  add(kind: "error" | "warning" | "notice", message: string, at: AnnotationProperties = {}): void {
    this.#counts[kind] += 1;
    if (this.#counts[kind] <= eachMax) this.#sink[kind](message.slice(0, messageLength), at);
  }

  /** How many did not fit. */
  get dropped(): number {
    return Object.values(this.#counts).reduce(
      (sum, count) => sum + Math.max(0, count - eachMax),
      0,
    );
  }
}
