import { scrypt } from "node:crypto";
import { isMicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { referencesOf } from "../../egress/swap/rule.ts";
import { isRefProblem, parseSecretRef } from "../../secret/reference.ts";
import { resolveSecretText } from "../../secret/resolve.ts";
import type { SwapRequest } from "../network-request.ts";
import { readSwap } from "../swap-rules.ts";

/** What of a credential swap goes into a template's key. */
export interface SwapParts {
  readonly parts: unknown;
  /** A credential that only another server or program knows: nobody can say whose it is without fetching it. */
  readonly isRemote: boolean;
}

/**
 * Setup can read whatever a swapped credential opens, and what it read is in the template. So the key holds the rules
 * as they are, not the path of their file, and a fingerprint of each credential that this host can read: a run with
 * another credential under the same name gets another template.
 */
export async function swapParts(op: Op, swap: SwapRequest): Promise<SwapParts> {
  const isEmpty =
    swap.providers.length === 0 && swap.configFile === null && swap.caFiles.length === 0;
  if (isEmpty) return { parts: swap, isRemote: false };
  const { swaps, extraRootsPem } = await readSwap(op, swap);
  const references = [...new Set(swaps.flatMap(referencesOf))].sort();
  const schemes = references.map(schemeOf);
  const isRemote = schemes.some((scheme) => scheme === "vault" || scheme === "helper");
  const credentials: [string, string | null][] = [];
  for (const reference of isRemote ? [] : references) {
    credentials.push([reference, await fingerprint(op, reference)]);
  }
  return { parts: { swaps, extraRootsPem, credentials }, isRemote };
}

function schemeOf(reference: string): string | null {
  const ref = parseSecretRef(reference);
  return isRefProblem(ref) ? null : ref.scheme;
}

/** Slow to compute on purpose: a key is printed and stored, and must not help to guess a credential. */
async function fingerprint(op: Op, reference: string): Promise<string | null> {
  let value: Uint8Array;
  try {
    value = (await resolveSecretText(op, reference)).bytes();
  } catch (error) {
    op.check();
    if (isMicroagentError(error)) return null;
    throw error;
  }
  return await op.race(
    new Promise<string>((resolve, reject) => {
      scrypt(value, "microagent template", 32, (error, derived) =>
        error === null ? resolve(derived.toString("hex")) : reject(error),
      );
    }),
  );
}
