import { MicroagentError } from "../base/errors.ts";
import { type GuestArchitecture, ociArchitecture, runsOn } from "./architecture.ts";
import type { ImageIndex, PlatformDescriptor } from "./manifest.ts";

/**
 * The entry of an index for Linux on `arch`: the plainest variant where there are several. An entry without a
 * platform is taken when it is the only one. `image_unsupported` lists what there is.
 */
export function choosePlatform(
  index: ImageIndex,
  arch: GuestArchitecture,
  what: string,
): PlatformDescriptor {
  const images = index.manifests.filter((entry) => !isAttestation(entry));
  const fitting = images
    .filter((entry) => entry.os === "linux" && runsOn(entry.architecture ?? "", arch))
    .sort((a, b) => variantRank(a, arch) - variantRank(b, arch));
  const best = fitting[0];
  if (best !== undefined && variantRank(best, arch) < unusable) return best;
  const only = images[0];
  if (images.length === 1 && only?.os === null && only.architecture === null) return only;
  const have = images.map(platformName).join(", ");
  throw new MicroagentError(
    "image_unsupported",
    `${what} has no image for "linux/${ociArchitecture(arch)}", only: ${have === "" ? "nothing" : have}`,
    { details: { wanted: `linux/${ociArchitecture(arch)}`, found: images.map(platformName) } },
  );
}

/** `os/architecture[/variant]` of an index entry. */
export function platformName(entry: PlatformDescriptor): string {
  const variant = entry.variant === null ? "" : `/${entry.variant}`;
  return `${entry.os ?? "unknown"}/${entry.architecture ?? "unknown"}${variant}`;
}

const unusable = 100;

/** Plain first; on x86_64 levels above v1 ask for a processor that an emulator may not have. */
function variantRank(entry: PlatformDescriptor, arch: GuestArchitecture): number {
  if (entry.variant === null || entry.variant === "") return 0;
  if (arch === "aarch64") return entry.variant === "v8" ? 1 : unusable;
  return entry.variant === "v1" ? 1 : unusable;
}

function isAttestation(entry: PlatformDescriptor): boolean {
  return entry.annotations["vnd.docker.reference.type"] === "attestation-manifest";
}
