import type { Fragment } from "./build/fragment.ts";
import type { KernelRecord } from "./record.ts";
import { isCurrent, type StoredKernel } from "./store.ts";

/** A kernel of the store that has a record. */
export type UsableKernel = StoredKernel & { readonly record: KernelRecord };

/**
 * The kernel that is meant when none is named: our own, built from the fragment of this version if
 * there is one and from any other if not; then the newest of the distribution's. `only` restricts the
 * choice to one of the two. Kernels from paths and addresses are used by name only.
 */
export function chooseDefault(
  stored: readonly StoredKernel[],
  fragment: Fragment | null,
  only: "own" | "distribution" | undefined,
): UsableKernel | null {
  const usable = stored.filter(
    (kernel): kernel is UsableKernel => "record" in kernel && isCurrent(kernel.record),
  );
  const built = usable.filter((kernel) => kernel.record.source === "built");
  const matching = built.find(
    (kernel) => fragment !== null && kernel.record.build?.fragmentSha256 === fragment.sha256,
  );
  const own = matching ?? built[0] ?? null;
  const distribution = usable.find((kernel) => kernel.record.source === "apt") ?? null;
  if (only === "own") return own;
  if (only === "distribution") return distribution;
  return own ?? distribution;
}
