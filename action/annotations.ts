import type { AnnotationProperties } from "@actions/core";
import { say } from "./say.ts";

/** The runner shows ten of each kind for a step; some are left for others. */
const eachMax = 5;
/** It cuts a message at 4096 characters. */
const messageLength = 4000;

export interface AnnotationSink {
  error(message: string, properties?: AnnotationProperties): void;
  warning(message: string, properties?: AnnotationProperties): void;
  notice(message: string, properties?: AnnotationProperties): void;
}

/** Annotations within the runner's budget; `finish` says how many were over it. */
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

  /** Says in the log how many did not fit. */
  finish(): void {
    const counts = Object.values(this.#counts);
    const dropped = counts.reduce((sum, count) => sum + Math.max(0, count - eachMax), 0);
    if (dropped > 0) say(`${dropped} more annotations are left out`);
    for (const kind of ["error", "warning", "notice"] as const) this.#counts[kind] = 0;
  }
}
