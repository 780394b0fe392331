import type { DispatchResult, RunPlan } from "../src/index.ts";
import type { PrintedTail } from "./printed-tail.ts";

/** Text that a command printed, without delivered secrets. */
export interface PrintedText {
  text(): string;
}

/** What a run came to, as far as a job is told about it. */
export type StepResult = Omit<DispatchResult, "stdout" | "stderr"> & {
  /** The end of it. */
  readonly stdout: PrintedText;
  readonly stderr: PrintedText;
};

export interface PrintedTails {
  readonly stdout: PrintedTail;
  readonly stderr: PrintedTail;
}

const nothing: PrintedText = { text: () => "" };

/**
 * The result with the ends of long outputs, of which the record has the beginnings. Only the record knows what is secret:
 * where a guest was given secrets, a long output has no end.
 */
export function withTails(plan: RunPlan, result: DispatchResult, tails: PrintedTails): StepResult {
  const { files, onDemand, envFiles } = plan.secrets;
  const hasSecrets = files.length + onDemand.length + envFiles.length > 0;
  const end = (stream: "stdout" | "stderr"): PrintedText => {
    if (!result[stream].truncated) return result[stream];
    return hasSecrets ? nothing : tails[stream];
  };
  return { ...result, stdout: end("stdout"), stderr: end("stderr") };
}
