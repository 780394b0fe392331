import { signalNumber } from "../../base/signals.ts";
import type { AttachedWorkspace } from "../../index.ts";

type RunResult = Awaited<ReturnType<AttachedWorkspace["run"]>>;

/** Exit code of a command that ran: its own, 128 and its signal's number, or 124 for a timeout. */
export function exitCodeOfResult(
  result: Pick<RunResult, "status" | "exitCode" | "signal">,
): number {
  if (result.status === "timed_out") return 124;
  if (result.exitCode !== null) return result.exitCode;
  return 128 + (signalNumber(result.signal ?? "SIGKILL") ?? 0);
}

/** The stable JSON form of a command that ran. */
export function execResultJson(result: RunResult): Record<string, unknown> {
  const { status, exitCode, signal } = result;
  return {
    protocol_version: "exec.v1",
    started_at: result.startedAt.toISOString(),
    completed_at: result.endedAt.toISOString(),
    ...(status === "exited" ? { exit_code: exitCode } : {}),
    ...(signal === null ? {} : { signal }),
    stdout: result.stdout.toString("base64"),
    stderr: result.stderr.toString("base64"),
    stdout_truncated: result.stdoutTruncated,
    stderr_truncated: result.stderrTruncated,
    oom_killed: result.oomKilled,
    status,
  };
}
