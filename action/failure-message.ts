import { isMicroagentError } from "../src/index.ts";
import { InputProblems } from "./settings.ts";

/** One message for people: what is wrong, and the next step where there is one. */
export function messageFor(error: unknown): string {
  if (isMicroagentError(error)) {
    return error.hint === undefined || error.hint === null
      ? error.message
      : `${error.message}. Hint: ${error.hint}`;
  }
  if (error instanceof InputProblems) return error.message;
  return error instanceof Error ? error.message : String(error);
}
