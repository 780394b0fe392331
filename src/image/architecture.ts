/** Architectures a guest can have, named as the kernel names them. */
export type GuestArchitecture = "x86_64" | "aarch64";

/** The name image configurations and indexes use (`amd64`). */
export function ociArchitecture(arch: GuestArchitecture): "amd64" | "arm64" {
  return arch === "x86_64" ? "amd64" : "arm64";
}

/** The name the distribution's packages use; it equals the OCI one for both architectures. */
export function debianArchitecture(arch: GuestArchitecture): "amd64" | "arm64" {
  return ociArchitecture(arch);
}
