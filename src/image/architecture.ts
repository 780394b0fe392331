/** Architectures a guest can have, named as the kernel names them. */
export type GuestArchitecture = "x86_64" | "aarch64";

/** The name that image configurations, indexes and Debian packages use. */
export function ociArchitecture(arch: GuestArchitecture): "amd64" | "arm64" {
  return arch === "x86_64" ? "amd64" : "arm64";
}

/** Whether an image's architecture, in any of its usual spellings, runs on `arch`. */
export function runsOn(imageArchitecture: string, arch: GuestArchitecture): boolean {
  const spellings = arch === "x86_64" ? ["amd64", "x86_64", "x86-64"] : ["arm64", "aarch64"];
  return spellings.includes(imageArchitecture.toLowerCase());
}
