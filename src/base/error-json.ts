import type { MicroagentError } from "./errors.ts";

/** The stable JSON form of an error: what `--json` prints on stderr and results embed. */
export interface ErrorJson {
  readonly code: string;
  readonly kind: string;
  readonly message: string;
  readonly hint: string | null;
  readonly retryable: boolean;
  readonly step: string | null;
  /** What a command had said when its time was over; only where there is a command and its output goes nowhere else. */
  readonly partial_output?: string;
}

export function errorJson(error: MicroagentError): ErrorJson {
  const { partialOutput } = error.details;
  return {
    code: error.code,
    kind: error.kind,
    message: error.message,
    hint: error.hint ?? null,
    retryable: error.retryable,
    step: error.step ?? null,
    ...(typeof partialOutput === "string" ? { partial_output: partialOutput } : {}),
  };
}
