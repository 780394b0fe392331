import { asMicroagentError, type MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { parseNamedSecret } from "./named.ts";
import { isPlaintext, plaintextWarning } from "./plaintext.ts";
import { type ResolveOptions, resolveSecret } from "./resolve.ts";

/** Whether one reference gives a value; the value itself is forgotten. */
export interface SecretCheck {
  /** Null for a text without a usable name. */
  readonly name: string | null;
  readonly ok: boolean;
  /** The scheme; null for what is no reference. */
  readonly source: string | null;
  /** Length of the value, null without one. */
  readonly bytes: number | null;
  /** Set where the value lies about in plain text. */
  readonly warning: string | null;
  readonly error: MicroagentError | null;
}

/** Resolves `NAME=reference` texts one after the other; what fails is in the answer, in their order. */
export async function checkSecrets(
  op: Op,
  texts: readonly string[],
  options: ResolveOptions = {},
): Promise<readonly SecretCheck[]> {
  const checks: SecretCheck[] = [];
  for (const text of texts.slice(0, limits.secret.namesMax)) {
    checks.push(await checkOne(op, text, options));
  }
  return checks;
}

async function checkOne(op: Op, text: string, options: ResolveOptions): Promise<SecretCheck> {
  let name: string | null = null;
  let source: string | null = null;
  let warning: string | null = null;
  try {
    const named = parseNamedSecret(text);
    ({ name } = named);
    source = named.ref.scheme;
    warning = isPlaintext(named.ref.scheme) ? plaintextWarning(named.ref.scheme) : null;
    const secret = await resolveSecret(op, named.ref, options);
    return { name, ok: true, source, bytes: secret.byteLength, warning, error: null };
  } catch (caught) {
    op.check();
    const error = asMicroagentError(caught);
    if (name === null && typeof error.details.name === "string") name = error.details.name;
    return { name, ok: false, source, bytes: null, warning, error };
  }
}
