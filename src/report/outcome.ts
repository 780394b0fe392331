import { durationText } from "../base/quantity.ts";
import type { RecordedRun } from "./recorded-run.ts";

/** How a run ended: `passed` when the command itself ended with 0, `broken` when it never got to its end. */
export type Outcome = "passed" | "failed" | "broken";

export function outcomeOf(run: RecordedRun): Outcome {
  if (run.exit_code === 0) return "passed";
  return ["exited", "signaled"].includes(run.termination.kind) && run.error === null
    ? "failed"
    : "broken";
}

/** One sentence without its full stop; it holds text of the guest's side. */
export function outcomeText(run: RecordedRun): string {
  const end = run.termination;
  if (run.error !== null) return run.error.message;
  const memory = end.oom_killed === true ? ", out of memory" : "";
  switch (end.kind) {
    case "exited":
      return `Exited with ${end.exit_code ?? run.exit_code}${memory}`;
    case "signaled":
      return `Ended by ${end.signal ?? "a signal"}${memory}`;
    case "timed_out":
      return `Timed out after ${durationText(end.timeout_ms ?? 0)}`;
    case "interrupted":
      return `Interrupted by ${end.signal ?? "the caller"}`;
    default:
      return `Ended as ${end.kind}`;
  }
}

/** Milliseconds from the start to the end of the last step. */
export function wallMs(run: RecordedRun): number {
  const ends = run.timeline.map((span) => span.start_ms + span.ms);
  return ends.length > 0 ? Math.max(...ends) : sumOfRoots(run.timings_ms);
}

function sumOfRoots(timings: Readonly<Record<string, number>>): number {
  return Object.entries(timings)
    .filter(([step]) => !step.includes("/"))
    .reduce((sum, [, ms]) => sum + ms, 0);
}
