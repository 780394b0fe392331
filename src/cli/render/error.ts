import { errorJson } from "../../base/error-json.ts";
import type { MicroagentError } from "../../base/errors.ts";
import { terminalLine, withoutControls } from "../../base/foreign-text.ts";
import type { Terminal } from "../terminal.ts";

/** Prints an error for people, or as one JSON line on stderr when JSON was asked for. */
export async function reportError(error: MicroagentError, terminal: Terminal): Promise<void> {
  await terminal.writeErr(
    terminal.json
      ? `${JSON.stringify({ ok: false, error: errorJson(error) })}\n`
      : errorText(error, terminal),
  );
}

/** The sentence, the lines it speaks of, and the next step; stack traces only under `--debug`. */
export function errorText(error: MicroagentError, terminal: Terminal): string {
  const red = (text: string) => (terminal.color ? `\u001b[31m${text}\u001b[39m` : text);
  const lines = [`${red("error:")} ${terminalLine(error.message)}`];
  const frame = error.details.frame;
  if (typeof frame === "string") lines.push("", withoutControls(frame), "");
  if (error.hint !== undefined) lines.push(`hint: ${terminalLine(error.hint)}`);
  if (terminal.debug) lines.push("", withoutControls(causes(error)));
  return `${lines.join("\n")}\n`;
}

function causes(error: unknown): string {
  const parts: string[] = [];
  for (let cause = error; cause instanceof Error && parts.length < 8; cause = cause.cause) {
    parts.push(cause.stack ?? cause.message);
  }
  return parts.join("\ncaused by: ");
}
