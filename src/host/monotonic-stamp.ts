// Taken once: a test may put the global clock under its control.
const nanoseconds = process.hrtime.bigint;

/** A text that sorts by time over all processes of one boot. */
export function monotonicStamp(): string {
  return nanoseconds().toString(36).padStart(13, "0");
}
