import { withOp } from "../base/op.ts";
import { referencesOf } from "../egress/swap/rule.ts";
import { isRefProblem, parseSecretRef, type SecretRef } from "../secret/reference.ts";
import type { RunPlan } from "../spec/plan.ts";
import { networkRequestOf } from "./network-request.ts";

/** A host file that a plan has read for its guest, and what it is there. */
export interface HostFileSource {
  /** `Secret`, `File` and the like: the beginning of a sentence. */
  readonly what: string;
  readonly path: string;
}

/** Where a plan takes values from on this host, by who is given them. Names and paths, never values. */
export interface HostSources {
  readonly guestVariables: readonly string[];
  /** For requests that this host sends. */
  readonly swapVariables: readonly string[];
  readonly files: readonly HostFileSource[];
}

/**
 * Every host variable and file whose content a guest of this plan, or a server it talks to, is given. The swap file
 * is read for it; nothing else is. Fails as a swap file does.
 */
export async function hostSourcesOf(plan: RunPlan): Promise<HostSources> {
  const guest = [...plan.secrets.files, ...plan.secrets.onDemand].flatMap(refOf);
  const swaps = await swapRefsOf(plan);
  const setup = plan.setup.flatMap((step) =>
    step.kind === "file" ? [{ what: "Setup file", path: step.path }] : [],
  );
  return {
    guestVariables: guest.flatMap(variableOf),
    swapVariables: swaps.flatMap(variableOf),
    files: [
      ...[...guest, ...swaps].flatMap(pathOf).map((path) => ({ what: "Secret file", path })),
      ...plan.secrets.envFiles.map((path) => ({ what: "Secrets file", path })),
      ...plan.files.map(({ src }) => ({ what: "File", path: src })),
      ...setup,
      ...plan.disks.map(({ path }) => ({ what: "Disk", path })),
      ...plan.volumes.flatMap((volume) =>
        volume.kind === "volume" ? [] : [{ what: "Volume", path: volume.source }],
      ),
    ],
  };
}

async function swapRefsOf(plan: RunPlan): Promise<readonly SecretRef[]> {
  const swap = networkRequestOf(plan)?.swap;
  if (swap === undefined || (swap.providers.length === 0 && swap.configFile === null)) return [];
  const { readSwap } = await import("./swap-rules.ts");
  const { swaps } = await withOp("credential swap", {}, (op) =>
    readSwap(op, { ...swap, caFiles: [] }),
  );
  return swaps.flatMap(referencesOf).flatMap(parsed);
}

/** The reference of `NAME=reference`; none of what is no reference, which fails where it is used. */
function refOf(text: string): readonly SecretRef[] {
  return parsed(text.slice(text.indexOf("=") + 1));
}

function parsed(text: string): readonly SecretRef[] {
  const ref = parseSecretRef(text);
  return isRefProblem(ref) ? [] : [ref];
}

function variableOf(ref: SecretRef): readonly string[] {
  return ref.scheme === "env" ? [ref.variable] : [];
}

function pathOf(ref: SecretRef): readonly string[] {
  return ref.scheme === "file" || ref.scheme === "dotenv" ? [ref.path] : [];
}
