import { errnoOf, MicroagentError } from "../base/errors.ts";

/** The failure to read something the user named on the host: `invalid_argument`. */
export function hostReadError(cause: unknown, what: string, path: string): MicroagentError {
  const errno = errnoOf(cause);
  const detail = errno === "ENOENT" ? "does not exist" : `cannot be read (${errno ?? cause})`;
  return new MicroagentError("invalid_argument", `${what} "${path}" ${detail}`, {
    cause,
    details: { errno },
  });
}
