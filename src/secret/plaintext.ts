import type { SecretScheme } from "./reference.ts";

/** Schemes whose values lie unencrypted on this host. */
export function isPlaintext(scheme: SecretScheme): boolean {
  return scheme === "env" || scheme === "file" || scheme === "dotenv";
}

export function plaintextWarning(scheme: SecretScheme): string {
  return `Scheme "${scheme}" is plaintext: not encrypted at rest, not for production`;
}
