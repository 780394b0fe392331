import { errorJson } from "../base/error-json.ts";
import type { SecretCheck } from "./check.ts";

/** The stable JSON form: `[{name, ok, source, bytes, warning?, error?}]`. */
export function secretCheckJson(
  checks: readonly SecretCheck[],
): readonly Record<string, unknown>[] {
  return checks.map(({ name, ok, source, bytes, warning, error }) => ({
    name,
    ok,
    source,
    bytes,
    ...(warning === null ? {} : { warning }),
    ...(error === null ? {} : { error: errorJson(error) }),
  }));
}
