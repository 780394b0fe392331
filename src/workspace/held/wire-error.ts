import { z } from "zod";
import { errorJson } from "../../base/error-json.ts";
import {
  asMicroagentError,
  type ErrorCode,
  errorTable,
  MicroagentError,
} from "../../base/errors.ts";

/** An error on its way to another process of ours: what it says survives, its cause does not. */
export function encodeError(error: unknown): Record<string, unknown> {
  const known = asMicroagentError(error);
  return { ...errorJson(known), details: plainDetails(known.details) };
}

const schema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().nullish(),
  step: z.string().nullish(),
  details: z.record(z.string(), z.unknown()).nullish(),
});

/** The error that was encoded; what cannot be read is `internal`. */
export function decodeError(value: unknown): MicroagentError {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    return new MicroagentError("internal", "The workspace's process failed without saying how");
  }
  const { code, message, hint, step, details } = parsed.data;
  const known: ErrorCode = Object.hasOwn(errorTable, code) ? (code as ErrorCode) : "internal";
  return new MicroagentError(known, message, {
    hint: hint ?? undefined,
    step: step ?? undefined,
    details: details ?? undefined,
  });
}

/** Only what JSON can carry. */
function plainDetails(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  try {
    return JSON.parse(JSON.stringify(details)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
