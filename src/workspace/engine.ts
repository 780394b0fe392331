import type { Op } from "../base/op.ts";
import type { StateLayout } from "../host/state-layout.ts";
import type { BaseImage } from "../image/base-image.ts";
import type { StoredImage } from "../image/stored-image.ts";
import type { InstalledKernel } from "../kernel/installed-kernel.ts";
import type {
  AccelPreference,
  Arch,
  HostFacts,
  Snapshots,
  Supervisor,
} from "../supervisor/port.ts";
import type { Launch } from "./held/launch.ts";

/**
 * The parts a boot is made of, composed once by the registry. The workspace layer knows these
 * interfaces and nothing of what stands behind them.
 */
export interface Engine {
  readonly layout: StateLayout;
  readonly images: EngineImages;
  readonly kernels: EngineKernels;
  readonly supervisors: EngineSupervisors;
  /** What templates may take on the disk together. */
  readonly templateBytesMax: number;
  /** Starts a process that holds a workspace when the command that wanted it has gone. */
  readonly launch: Launch;
}

export interface EngineImages {
  resolve(op: Op, request: ImageRequest): Promise<StoredImage>;
  base(op: Op, image: StoredImage): Promise<BaseImage>;
  /** Protects the image from pruning until the result is disposed of. */
  pin(op: Op, image: StoredImage): Promise<AsyncDisposable>;
}

export interface ImageRequest {
  readonly image: string;
  readonly pull: "missing" | "always" | "never";
  readonly insecureRegistries: readonly string[];
  readonly arch: Arch | undefined;
}

export interface EngineKernels {
  resolve(op: Op, selector: string | undefined, arch: Arch | undefined): Promise<InstalledKernel>;
  initramfs(op: Op, kernel: InstalledKernel): Promise<string>;
  /** The default kernel if it is installed, null when a boot would have to fetch one first. */
  installed(op: Op): Promise<InstalledKernel | null>;
}

export interface EngineSupervisors {
  select(op: Op, request: SupervisorRequest): Promise<SupervisorChoice>;
}

export interface SupervisorRequest {
  readonly accel: AccelPreference;
  /** Null, both of them, to look at the host before there is a kernel. */
  readonly kernel: InstalledKernel | null;
  readonly initramfsPath: string | null;
  /** Prove the acceleration again, whatever was found before. */
  readonly fresh?: boolean | undefined;
}

export interface SupervisorChoice {
  readonly supervisor: Supervisor;
  readonly host: HostFacts;
  /** Null where machines cannot be saved. */
  readonly snapshots: Snapshots | null;
}
