import type { ExecResult } from "../agent/exec.ts";
import { exitCodeOf, type MicroagentError } from "../base/errors.ts";
import { signalNumber } from "../base/signals.ts";

/** What ends a run in good order. */
export type InterruptingSignal = "SIGHUP" | "SIGINT" | "SIGTERM";

/**
 * How a run ended. `exited`, `signaled`, `timed_out` and `not_started` speak of the entry command;
 * `setup_failed` of a setup command; `interrupted` of the caller; `failed` of everything around it.
 */
export type Termination =
  /** `oomKilled` where something that the command had started was killed for lack of memory: a shell goes on then. */
  | { readonly kind: "exited"; readonly exitCode: number; readonly oomKilled?: true }
  | { readonly kind: "signaled"; readonly signal: string; readonly oomKilled: boolean }
  | { readonly kind: "timed_out"; readonly timeoutMs: number }
  | { readonly kind: "not_started"; readonly error: MicroagentError }
  | { readonly kind: "setup_failed"; readonly error: MicroagentError }
  | { readonly kind: "interrupted"; readonly signal: InterruptingSignal | null }
  | { readonly kind: "failed"; readonly error: MicroagentError };

/**
 * Process exit code of a run: the guest's own code; 128 + signal; 124 for a timeout, 126 and 127 for
 * a command that could not start, as shells and coreutils have it; 129, 130 and 143 for an
 * interruption;
 * else the code of the error.
 */
export function exitCodeFor(end: Termination): number {
  switch (end.kind) {
    case "exited":
      return end.exitCode;
    case "signaled":
      return 128 + (signalNumber(end.signal) ?? 0);
    case "timed_out":
      return 124;
    case "not_started":
      return end.error.details.errno === "ENOENT" ? 127 : 126;
    case "interrupted":
      return 128 + (signalNumber(end.signal ?? "SIGINT") ?? 0);
    case "setup_failed":
    case "failed":
      return exitCodeOf(end.error);
  }
}

/** The termination of an entry command that was started and came to its end. */
export function terminationOf(result: ExecResult, timeoutMs: number): Termination {
  switch (result.status) {
    case "timed_out":
      return { kind: "timed_out", timeoutMs };
    case "signaled":
      return {
        kind: "signaled",
        signal: result.signal ?? "SIGKILL",
        oomKilled: result.oomKilled,
      };
    case "exited":
      return {
        kind: "exited",
        exitCode: result.exitCode ?? 1,
        ...(result.oomKilled ? { oomKilled: true } : {}),
      };
  }
}
