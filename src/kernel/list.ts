import type { Op } from "../base/op.ts";
import type { StateLayout } from "../host/state-layout.ts";
import type { Arch } from "../supervisor/port.ts";
import { readFragment } from "./build/fragment.ts";
import { chooseDefault } from "./default-kernel.ts";
import type { KernelRecord } from "./record.ts";
import { isCurrent, type StoredKernel, storedKernels } from "./store.ts";

/**
 * `installed` can be booted, `outdated` is installed again on its next use, `damaged` cannot be
 * read, `available` can be had: `distribution` with `kernel install`, `own` with `kernel build`.
 */
export type KernelStatus = "installed" | "outdated" | "damaged" | "available";

/** One line of `kernel list`; null where it is not known. */
export interface KernelListing {
  readonly name: string;
  readonly version: string | null;
  readonly flavor: KernelRecord["flavor"] | null;
  readonly source: KernelRecord["source"] | null;
  readonly arch: Arch | null;
  readonly path: string | null;
  readonly sha256: string | null;
  /** What a boot without `--kernel` uses. */
  readonly default: boolean;
  readonly status: KernelStatus;
  readonly notes: readonly string[];
}

/** Installed kernels, newest first, then what is not installed and could be. */
export async function listKernels(
  op: Op,
  layout: StateLayout,
  arch: Arch,
): Promise<KernelListing[]> {
  const stored = await storedKernels(op, layout);
  const ours = stored.filter((kernel) => "damage" in kernel || kernel.record.arch === arch);
  const chosen = chooseDefault(ours, await readFragment(arch), undefined);
  const listings = stored.map((kernel) => listingOf(kernel, kernel.name === chosen?.name));
  const sources = new Set(listings.map((listing) => listing.source));
  if (!sources.has("built")) listings.push(available("own", "built", arch));
  if (!sources.has("apt")) listings.push(available("distribution", "apt", arch));
  return listings;
}

function listingOf(kernel: StoredKernel, isDefault: boolean): KernelListing {
  if ("damage" in kernel) {
    return {
      name: kernel.name,
      version: null,
      flavor: null,
      source: null,
      arch: null,
      path: kernel.directory,
      sha256: null,
      default: false,
      status: "damaged",
      notes: [kernel.damage.message],
    };
  }
  const { name, version, flavor, source, arch, sha256, notes } = kernel.record;
  return {
    name,
    version,
    flavor,
    source,
    arch,
    path: kernel.directory,
    sha256,
    default: isDefault,
    status: isCurrent(kernel.record) ? "installed" : "outdated",
    notes,
  };
}

function available(
  flavor: KernelRecord["flavor"],
  source: KernelRecord["source"],
  arch: Arch,
): KernelListing {
  return {
    name: flavor,
    version: null,
    flavor,
    source,
    arch,
    path: null,
    sha256: null,
    default: false,
    status: "available",
    notes: [
      source === "built"
        ? "Build it with: microagent kernel build"
        : "Install it with: microagent kernel install",
    ],
  };
}
