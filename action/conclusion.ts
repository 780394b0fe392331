import type { Termination } from "../src/index.ts";
import type { FailCause } from "./settings.ts";
import type { StepResult } from "./step-result.ts";

/** How a run counts for the job. */
export type Conclusion = "success" | "failure" | "timeout" | "cancelled" | "infra-error";

export function conclusionOf(end: Termination): Conclusion {
  switch (end.kind) {
    case "exited":
      return end.exitCode === 0 ? "success" : "failure";
    case "signaled":
    case "not_started":
    case "setup_failed":
      return "failure";
    case "timed_out":
      return "timeout";
    case "interrupted":
      return "cancelled";
    case "failed":
      return "infra-error";
  }
}

/** Why the step fails, one sentence each; empty when it passes. Only what `failOn` names counts, and the host's own failures. */
export function failuresOf(
  result: StepResult,
  deniedCount: number,
  failOn: ReadonlySet<FailCause>,
): string[] {
  const failures: string[] = [];
  const conclusion = conclusionOf(result.termination);
  if (conclusion === "infra-error" || conclusion === "cancelled") {
    failures.push(sentenceOf(result.termination));
  } else if (conclusion !== "success" && failOn.has("exit")) {
    failures.push(sentenceOf(result.termination));
  }
  if (deniedCount > 0 && failOn.has("egress-denied")) {
    failures.push(`The guest asked for ${deniedCount} things that its egress policy refuses`);
  }
  const { missing, incomplete } = result.outputs;
  const absent = [...missing, ...incomplete.map(({ output }) => output)];
  if (absent.length > 0 && failOn.has("missing-artifact")) {
    failures.push(`Declared outputs did not come out whole: ${absent.join(", ")}`);
  }
  return failures;
}

export function sentenceOf(end: Termination): string {
  switch (end.kind) {
    case "exited":
      return `The command exited with ${end.exitCode}${end.oomKilled === true ? ": the guest ran out of memory" : ""}`;
    case "signaled":
      return `The command was ended by ${end.signal}${end.oomKilled ? ": the guest ran out of memory" : ""}`;
    case "timed_out":
      return `The run took longer than ${Math.round(end.timeoutMs / 1000)} s`;
    case "interrupted":
      return `The run was interrupted by ${end.signal ?? "the runner"}`;
    case "not_started":
    case "setup_failed":
    case "failed":
      return end.error.message;
  }
}
