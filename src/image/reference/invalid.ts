import { MicroagentError } from "../../base/errors.ts";

/** The error for a reference that cannot be read; `index` counts from 0, people read it from 1. */
export function referenceInvalid(
  text: string,
  index: number,
  reason: string,
  hint?: string,
): MicroagentError {
  return new MicroagentError(
    "image_reference_invalid",
    `Image reference "${printable(text)}" is wrong at character ${index + 1}: ${reason}`,
    {
      hint: hint ?? "Write it like: docker.io/library/debian:12",
      details: { position: index + 1 },
    },
  );
}

function printable(text: string): string {
  const shown = text.length > 200 ? `${text.slice(0, 200)}...` : text;
  return shown.replace(
    /[^\x20-\x7e]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
