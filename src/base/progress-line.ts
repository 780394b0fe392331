import { oneLine } from "./foreign-text.ts";
import { limits } from "./limits.ts";
import type { ProgressBody } from "./op.ts";

/** What is told of an image, a registry or a guest, in a form in which any listener can print it. */
export function inOneLine(event: ProgressBody): ProgressBody {
  switch (event.kind) {
    case "note":
    case "warning":
      return { ...event, text: oneLine(event.text, limits.message.charsMax) };
    case "amount":
      return { ...event, label: oneLine(event.label) };
    default:
      return event;
  }
}
