import { MicroagentError } from "../base/errors.ts";

/** The peer broke the protocol; `detail` names what was found and what was wanted. */
export function protocolViolation(
  detail: string,
  details: Readonly<Record<string, unknown>> = {},
): MicroagentError {
  return new MicroagentError("protocol_violation", detail, {
    details,
    hint: "The guest agent is damaged or hostile; discard this workspace",
  });
}

/** The byte stream, the session or one stream of it ended. */
export function channelClosed(detail: string, cause?: unknown): MicroagentError {
  return new MicroagentError("channel_closed", detail, { cause });
}
