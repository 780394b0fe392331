import type { KernelImage } from "../supervisor/port.ts";

/** Where a kernel came from. */
export type KernelSource = "built" | "apt" | "path" | "url";

/** A kernel of the store that is ready to boot. */
export interface InstalledKernel {
  /** What a backend boots. */
  readonly image: KernelImage;
  /** Name in the catalogue, for `--kernel`. */
  readonly name: string;
  readonly source: KernelSource;
  /** Directory with the uncompressed modules of `modules`; null where there are none. */
  readonly modulesDir: string | null;
  /** In the order in which they must be loaded. */
  readonly modules: readonly KernelModule[];
  /** What a user of this kernel should know, one sentence each. */
  readonly notes: readonly string[];
}

/** A module that travels in the initramfs. */
export interface KernelModule {
  /** File name in `modulesDir`. */
  readonly file: string;
  readonly sha256: string;
  /** `boot` is loaded before the agent can speak or mount its root, `extra` after that. */
  readonly phase: "boot" | "extra";
}
