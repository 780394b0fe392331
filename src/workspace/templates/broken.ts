import { type ErrorCode, isMicroagentError, MicroagentError } from "../../base/errors.ts";

/** The error for a saved machine that no clone can be started from; `reason` begins with "its". */
export function broken(reason: string, cause?: unknown): MicroagentError {
  return new MicroagentError("template_broken", `The saved machine cannot be started: ${reason}`, {
    cause,
    hint: "It is built anew when it is needed; see what there is with: microagent template list",
    details: { reason },
  });
}

/** What a clone can fail with because of what it was started from, and not because of this host. */
const telling: readonly ErrorCode[] = [
  "vmm_failed",
  "store_corrupt",
  "guest_crashed",
  "guest_powered_off",
  "channel_closed",
  "protocol_violation",
  "agent_mismatch",
  "guest_refused",
  "timeout",
];

/** `work`, which starts a clone; a failure that the saved machine may be the cause of is `template_broken`. */
export async function blamingSaved<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isMicroagentError(error) || !telling.includes(error.code)) throw error;
    throw broken(`starting it failed (${error.message})`, error);
  }
}

export function isBroken(error: unknown): error is MicroagentError {
  return isMicroagentError(error) && error.code === "template_broken";
}
