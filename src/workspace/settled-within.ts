import type { Clock } from "../base/op.ts";

/** What `work` came to if that is within `ms`, else null, and null when it failed; never rejects. */
export function settledWithin<T>(clock: Clock, work: Promise<T>, ms: number): Promise<T | null> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, () => resolve(null));
    const done = (value: T | null) => {
      cancel();
      resolve(value);
    };
    work.then(done, () => done(null));
  });
}
