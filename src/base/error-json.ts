import type { MicroagentError } from "./errors.ts";

/** The stable JSON form of an error: what `--json` prints on stderr and results embed. */
export interface ErrorJson {
  readonly code: string;
  readonly kind: string;
  readonly message: string;
  readonly hint: string | null;
  readonly retryable: boolean;
  readonly step: string | null;
}

export function errorJson(error: MicroagentError): ErrorJson {
  return {
    code: error.code,
    kind: error.kind,
    message: error.message,
    hint: error.hint ?? null,
    retryable: error.retryable,
    step: error.step ?? null,
  };
}
