import type { Clock } from "../../src/base/op.ts";

/** A clock that moves only when told. */
export interface ManualClock extends Clock {
  advance(ms: number): void;
}

export function manualClock(): ManualClock {
  let nowMs = 1_000;
  let timers: { at: number; callback: () => void }[] = [];
  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    after(ms, callback) {
      const timer = { at: nowMs + ms, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
    advance(ms) {
      nowMs += ms;
      const due = timers.filter((timer) => timer.at <= nowMs);
      timers = timers.filter((timer) => timer.at > nowMs);
      for (const timer of due) timer.callback();
    },
  };
}
