import { alternatives, type Check } from "../schema/field-notes.ts";
import {
  isCredentialSwap,
  isNamedSecret,
  swapProviders,
  wantedReference,
} from "../schema/secret-reference.ts";
import { flagError } from "./flag-error.ts";

/** `PROVIDER[=reference]`; a literal is refused and never repeated. */
export function checkCredSwapFlag(text: string): string {
  return unseen(
    "--cred-swap",
    text,
    isCredentialSwap,
    `${alternatives(swapProviders)}, optionally with "=" and ${wantedReference}`,
  );
}

/** `NAME=scheme:reference`; a literal is refused and never repeated. */
export function checkSecretFlag(flag: string, text: string): string {
  return unseen(flag, text, isNamedSecret, `NAME= with ${wantedReference}`);
}

function unseen(flag: string, text: string, check: Check, wanted: string): string {
  const fault = check(text);
  if (fault !== null) throw flagError(flag, text, wanted, { fault, secret: true });
  return text;
}
