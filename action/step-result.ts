import type { DispatchResult } from "../src/index.ts";

/** Text that a command printed, without delivered secrets. */
export interface PrintedText {
  text(): string;
}

/** What a run came to, as far as a job is told about it. */
export type StepResult = Omit<DispatchResult, "stdout" | "stderr"> & {
  readonly stdout: PrintedText;
  readonly stderr: PrintedText;
};
