import { MicroagentError } from "../base/errors.ts";
import { isRefProblem, parseSecretRef, type SecretRef } from "./reference.ts";

/** A secret by the name the guest knows it under. */
export interface NamedSecretRef {
  readonly name: string;
  readonly ref: SecretRef;
}

/** A name that is a file name and nothing else. */
export function isSecretName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$/.test(name);
}

/**
 * Reads `NAME=reference`. `invalid_argument`, which repeats the name and nothing else; not even the name when the "="
 * may be the padding of a base64 text, because then the name is the secret.
 */
export function parseNamedSecret(text: string): NamedSecretRef {
  const at = text.indexOf("=");
  const name = text.slice(0, Math.max(at, 0));
  const rest = text.slice(at + 1);
  if (!isSecretName(name) || /^=*$/.test(rest)) {
    throw new MicroagentError(
      "invalid_argument",
      'A secret has no usable name before "=", or nothing after it: wanted NAME=reference',
    );
  }
  const ref = parseSecretRef(rest);
  if (!isRefProblem(ref)) return { name, ref };
  throw new MicroagentError("invalid_argument", `Secret "${name}" ${ref.problem}`, {
    hint: ref.hint,
    details: { name },
  });
}
