import { setMaxListeners } from "node:events";
import { clearTimeout, setTimeout } from "node:timers";
import { MicroagentError } from "./errors.ts";
import { inOneLine } from "./progress-line.ts";
import { type StartedOp, Works } from "./works.ts";

/**
 * An `Op` is the permission to wait: a deadline, an abort signal, a clock, a place for progress, and
 * the names of the steps on the way. It is the first parameter of everything that can take time.
 * A child can only be shorter than its parent.
 */
export interface Op {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Slash-separated names of the steps above and including this one. */
  readonly path: string;
  /** Milliseconds left, `Infinity` without a deadline, never negative. */
  remainingMs(): number;
  /** Throws the reason if the op was aborted or its deadline passed. */
  check(): void;
  /** Rejects with the abort reason as soon as there is one; otherwise settles as `promise` does. */
  race<T>(promise: Promise<T>): Promise<T>;
  sleep(ms: number): Promise<void>;
  /** Runs a named part, timed and reported, optionally with a bound of its own. */
  step<T>(name: string, work: (op: Op) => Promise<T>, bound?: Bound): Promise<T>;
  /**
   * Runs works side by side and returns their results in order. The first failure aborts the others and
   * is thrown when all of them have ended, so that nothing is still being made while it is undone.
   */
  together<T extends readonly unknown[]>(works: SideBySide<T>): Promise<T>;
  report(event: ProgressBody): void;
}

/** Works for `Op.together`, one for each result. */
export type SideBySide<T extends readonly unknown[]> = {
  readonly [I in keyof T]: (op: Op) => Promise<T[I]>;
};

export interface Bound {
  readonly timeoutMs?: number | undefined;
}

export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Monotonic clock, milliseconds. */
  monotonic(): number;
  /** Referenced timer; the returned function cancels it. */
  after(ms: number, callback: () => void): () => void;
}

export type ProgressBody =
  | { readonly kind: "step-start" }
  | { readonly kind: "step-end"; readonly ms: number; readonly failed: boolean }
  /** Work of a known or unknown size moved on; `total` in the same unit when known. */
  | {
      readonly kind: "amount";
      readonly label: string;
      readonly done: number;
      readonly total: number | null;
      readonly unit: "bytes" | "items";
    }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "warning"; readonly text: string };

/** A progress event with the path of the step that reported it. */
export type Progress = ProgressBody & { readonly path: string };

export type ProgressListener = (event: Progress) => void;

// Taken once: a test that puts the global clock and timers under its control must not stop ours.
const wallNow = Date.now;
const monotonicNow = performance.now.bind(performance);

export const realClock: Clock = {
  now: () => wallNow(),
  monotonic: () => monotonicNow(),
  after(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, 0x7fffffff));
    return () => clearTimeout(timer);
  },
};

export interface OpOptions {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/** Starts a root op. */
export function startOp(name: string, options: OpOptions = {}): StartedOp {
  const clock = options.clock ?? realClock;
  const works = new Works();
  const scope = new Scope(
    works,
    name,
    clock,
    options.onProgress ?? (() => {}),
    options.signal,
    options.timeoutMs === undefined
      ? Number.POSITIVE_INFINITY
      : clock.monotonic() + options.timeoutMs,
    options.timeoutMs,
  );
  return {
    op: scope,
    end: () => scope.end(),
    watch: (work) => scope.race(works.add(work)),
    settled: (ms) => works.settled(clock, ms),
  };
}

/** Runs `work` under a fresh root op and ends it afterwards. */
export async function withOp<T>(
  name: string,
  options: OpOptions,
  work: (op: Op) => Promise<T>,
): Promise<T> {
  const { op, end } = startOp(name, options);
  try {
    op.check();
    return await op.race(work(op));
  } finally {
    end();
  }
}

class Scope implements Op {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly path: string;
  readonly #works: Works;
  readonly #listener: ProgressListener;
  readonly #controller = new AbortController();
  readonly #deadline: number;
  #release: () => void = () => {};

  constructor(
    works: Works,
    path: string,
    clock: Clock,
    listener: ProgressListener,
    parent: AbortSignal | undefined,
    deadline: number,
    ownTimeoutMs: number | undefined,
  ) {
    this.#works = works;
    this.path = path;
    this.clock = clock;
    this.signal = this.#controller.signal;
    // Every wait listens; many waits at once are no leak.
    setMaxListeners(0, this.signal);
    this.#listener = listener;
    this.#deadline = deadline;
    const onParentAbort = () => this.#controller.abort(abortReason(parent));
    const cancelTimer =
      ownTimeoutMs === undefined
        ? () => {}
        : clock.after(Math.max(0, deadline - clock.monotonic()), () =>
            this.#controller.abort(timeoutError(path, ownTimeoutMs)),
          );
    if (parent?.aborted) onParentAbort();
    else parent?.addEventListener("abort", onParentAbort, { once: true });
    this.#release = () => {
      cancelTimer();
      parent?.removeEventListener("abort", onParentAbort);
    };
  }

  end(): void {
    this.#release();
  }

  remainingMs(): number {
    return Math.max(0, this.#deadline - this.clock.monotonic());
  }

  check(): void {
    if (this.signal.aborted) throw this.signal.reason;
  }

  race<T>(promise: Promise<T>): Promise<T> {
    return raceAbort(this.signal, promise);
  }

  sleep(ms: number): Promise<void> {
    let cancel = () => {};
    const slept = new Promise<void>((resolve) => {
      cancel = this.clock.after(ms, resolve);
    });
    return this.race(slept).finally(() => cancel());
  }

  async step<T>(name: string, work: (op: Op) => Promise<T>, bound: Bound = {}): Promise<T> {
    this.check();
    const started = this.clock.monotonic();
    const own = bound.timeoutMs;
    const deadline = Math.min(this.#deadline, own === undefined ? this.#deadline : started + own);
    // Only a bound that is tighter than the parent's gets a timer: the parent's own timer fires else.
    const tighter = own !== undefined && started + own <= this.#deadline ? own : undefined;
    const child = new Scope(
      this.#works,
      `${this.path}/${name}`,
      this.clock,
      this.#listener,
      this.signal,
      deadline,
      tighter,
    );
    child.report({ kind: "step-start" });
    let failed = true;
    try {
      const result = await child.race(this.#works.add(work(child)));
      failed = false;
      return result;
    } finally {
      child.end();
      child.report({ kind: "step-end", ms: this.clock.monotonic() - started, failed });
    }
  }

  async together<T extends readonly unknown[]>(works: SideBySide<T>): Promise<T> {
    this.check();
    const { path, clock, signal } = this;
    const begun = this.#works;
    const child = new Scope(begun, path, clock, this.#listener, signal, this.#deadline, undefined);
    let failed = false;
    let failure: unknown;
    const one = async (work: (op: Op) => Promise<unknown>): Promise<unknown> => {
      try {
        return await work(child);
      } catch (error) {
        if (!failed) {
          failed = true;
          failure = error;
          child.#controller.abort(givenUp(path, error));
        }
        return undefined;
      }
    };
    try {
      const results = await Promise.all(works.map(one));
      if (failed) throw failure;
      return results as unknown as T;
    } finally {
      child.end();
    }
  }

  report(event: ProgressBody): void {
    this.#listener({ ...inOneLine(event), path: this.path });
  }
}

function raceAbort<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => {});
    return Promise.reject(signal.reason);
  }
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(
      (value) => {
        signal.removeEventListener("abort", onAbort);
        resolve(value);
      },
      (error) => {
        signal.removeEventListener("abort", onAbort);
        reject(error);
      },
    );
  });
}

function timeoutError(path: string, timeoutMs: number): MicroagentError {
  return new MicroagentError("timeout", `Step "${path}" took longer than ${timeoutMs} ms`, {
    step: path,
    details: { timeoutMs },
  });
}

function givenUp(path: string, cause: unknown): MicroagentError {
  return new MicroagentError("cancelled", `Step "${path}" failed in another part`, { cause });
}

function abortReason(signal: AbortSignal | undefined): unknown {
  const reason: unknown = signal?.reason;
  if (reason instanceof Error && reason.name !== "AbortError") return reason;
  return new MicroagentError("cancelled", "The operation was cancelled", { cause: reason });
}
