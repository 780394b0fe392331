import { errnoOf, isMicroagentError, MicroagentError } from "../base/errors.ts";

/**
 * The error for a failed file operation: `no_space` for a full disk or quota, else
 * `store_corrupt` with the system's reason. `sentence` says what could not be done, without a period.
 */
export function fileError(error: unknown, sentence: string): MicroagentError {
  if (isMicroagentError(error)) return error;
  const errno = errnoOf(error) ?? (error instanceof Error ? error.message : String(error));
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    return new MicroagentError("no_space", `${sentence}: no space is left on its disk`, {
      cause: error,
      hint: "Free some space, for example with: microagent image prune",
      details: { errno },
    });
  }
  return new MicroagentError("store_corrupt", `${sentence} (${errno})`, {
    cause: error,
    details: { errno },
    ...(errno === "EACCES" || errno === "EPERM" || errno === "EROFS"
      ? { hint: "Give this user the right to write there, or choose another --state-dir" }
      : {}),
  });
}
