import type { Op } from "../base/op.ts";
import { withDomains } from "../egress/swap/domains.ts";
import { mergeSwapRules } from "../egress/swap/providers.ts";
import type { SwapRule } from "../egress/swap/rule.ts";
import { loadSwapFile } from "../spec/swap-file.ts";
import { readExtraRoots } from "./extra-roots.ts";
import type { SwapRequest } from "./network-request.ts";

/** Everything of a swap that stands in files: no credential is asked for. */
export interface SwapFiles {
  readonly swaps: readonly SwapRule[];
  /** Certificates in PEM to trust beside the system's. */
  readonly extraRootsPem: readonly string[];
  /** `file:line:column` of a field of a rule; null for a rule that is not of a file. */
  place(rule: string, field: string): string | null;
}

/** Reads and checks it. Fails with what the rules or the roots are refused for. */
export async function readSwap(op: Op, request: SwapRequest): Promise<SwapFiles> {
  const { providers, configFile, caFiles } = request;
  const file = configFile === null ? null : await loadSwapFile(op, configFile);
  const swaps = mergeSwapRules(providers, file?.swaps ?? []);
  withDomains(swaps);
  return {
    swaps,
    extraRootsPem: await readExtraRoots(op, caFiles),
    place: (rule, field) =>
      file?.swaps.some(({ name }) => name === rule) === true ? file.place(rule, field) : null,
  };
}
