import { type Clock, realClock } from "../../src/base/op.ts";

/** The real clock, `factor` times as fast. What another program is given time for has to stay long on a busy host. */
export function fastClockOf(factor: number): Clock {
  return {
    ...realClock,
    monotonic: () => realClock.monotonic() * factor,
    after: (ms, callback) => realClock.after(ms / factor, callback),
  };
}
