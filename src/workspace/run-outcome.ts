import { asMicroagentError, type MicroagentError } from "../base/errors.ts";
import type { Interruption } from "./dispatch.ts";
import { lostOnHost } from "./output-dir.ts";
import { type CollectedOutputs, missingOutputsError } from "./outputs.ts";
import type { Termination } from "./termination.ts";

/** What a run that threw came to. */
export function terminationOfFailure(
  error: unknown,
  signal: AbortSignal | undefined,
  timeoutMs: number,
): Termination {
  if (signal?.aborted) return interruptedBy(signal);
  const known = asMicroagentError(error);
  if (known.code === "exec_not_started") return { kind: "not_started", error: known };
  if (known.code === "setup_failed") {
    return known.details.timedOut === true
      ? { kind: "timed_out", timeoutMs }
      : { kind: "setup_failed", error: known };
  }
  return { kind: "failed", error: known };
}

/** The end of a run whose caller aborted it. */
function interruptedBy(signal: AbortSignal): Termination {
  const reason = signal.reason as Partial<Interruption> | undefined;
  return { kind: "interrupted", signal: reason?.signal ?? null };
}

/** How a run ended, or that its caller wanted the end before all of it was done. */
export function terminationNow(end: Termination, signal: AbortSignal | undefined): Termination {
  return signal?.aborted === true ? interruptedBy(signal) : end;
}

/** True when the run was refused because another has its name. */
export function isNameTaken(end: Termination): boolean {
  return end.kind === "failed" && end.error.code === "name_taken";
}

/**
 * A successful run whose outputs or kept workspace were lost on this host has failed; so has one that
 * misses outputs, under `--require-outputs`. A guest that failed by itself keeps its code.
 */
export function insistOnOutputs(
  requireOutputs: boolean,
  end: Termination,
  outputs: CollectedOutputs,
  keepFailure: MicroagentError | null,
): Termination {
  if (end.kind !== "exited" || end.exitCode !== 0) return end;
  const error: MicroagentError | null =
    lostOnHost(outputs) ?? keepFailure ?? (requireOutputs ? missingOutputsError(outputs) : null);
  return error === null ? end : { kind: "failed", error };
}
