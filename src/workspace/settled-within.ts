import type { Clock } from "../base/op.ts";

/** Resolves when `work` settles, either way, or after `ms`; never rejects. */
export function settledWithin(clock: Clock, work: Promise<unknown>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    const done = () => {
      cancel();
      resolve();
    };
    work.then(done, done);
  });
}
