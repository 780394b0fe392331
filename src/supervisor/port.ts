import type { Duplex } from "node:stream";
import type { Op } from "../base/op.ts";

/**
 * The backend contract. A supervisor says whether it can run here (`probe`), turns a request into
 * a plan without side effects (`plan`), and starts a machine from a plan (`start`).
 *
 * No optional methods: what only some backends can do is a nullable value.
 */
export interface Supervisor<Plan = unknown> {
  readonly name: string;
  probe(op: Op, request: ProbeRequest): Promise<Probe>;
  /** Pure: the same request and host give an equal plan. Throws `invalid_argument` on a bad one. */
  plan(request: MachineRequest, host: HostFacts): Plan;
  start(op: Op, plan: Plan): Promise<Machine>;
}

export type AccelPreference = "auto" | "kvm" | "hvf" | "tcg";
export type Accel = "kvm" | "hvf" | "tcg" | "none";

export interface ProbeRequest {
  readonly accel: AccelPreference;
  /**
   * What the machines will boot; an acceleration counts as working only if this boots with it. Null
   * when there is no kernel yet: then hardware acceleration cannot be proved and `auto` emulates.
   */
  readonly kernel: KernelImage | null;
  /** An initramfs whose init answers on the agent port; null together with the kernel. */
  readonly initramfsPath: string | null;
  /** Where verdicts are cached (a directory of ours, mode 0700). */
  readonly cacheDir: string;
  /** Prove again what can be proved, whatever verdicts are cached. */
  readonly fresh?: boolean | undefined;
}

export type Probe =
  | { readonly ok: true; readonly host: HostFacts; readonly capabilities: Capabilities }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

export interface Refusal {
  readonly supervisor: string;
  /** One sentence: what is missing. */
  readonly reason: string;
  /** The command that mends it, when there is one. */
  readonly hint: string | null;
  readonly code: "vmm_not_found" | "vmm_too_old" | "accel_unavailable" | "host_unsupported";
}

/** What a probe found out; everything a pure plan may depend on. */
export interface HostFacts {
  readonly vmmPath: string;
  readonly vmmVersion: string;
  readonly accel: Accel;
  /** Why this acceleration was taken, one sentence for people. */
  readonly accelReason: string;
  readonly arch: Arch;
  /** Time-stamp counter frequency in kHz, null where unknown. */
  readonly tscKhz: number | null;
  readonly cpuCount: number;
}

export interface Capabilities {
  /** Null where machines cannot be saved. */
  readonly snapshots: Snapshots | null;
  readonly pause: boolean;
  readonly memoryMibMax: number | null;
  readonly cpusMax: number;
}

/** What a backend offers that can save a machine and start others from what was saved. */
export interface Snapshots {
  /**
   * Everything besides the request that a saved machine depends on (VMM version, CPU model, board): a
   * machine saved under other words cannot be started here.
   */
  fingerprint(request: MachineRequest, host: HostFacts): string;
  /**
   * Saves a machine that was started `saveable`, or from something saved, into an empty directory, and
   * lets it run on as it was (paused stays paused). What is written is never changed afterwards; the
   * machine's own writable disks continue in files beside those they had. Nothing of use is in
   * `dir` after a failure, and the machine still runs.
   */
  save(op: Op, machine: Machine, dir: string): Promise<SavedMachine>;
}

/** A machine in files; names are relative to the directory it was saved into. */
export interface SavedMachine {
  /** Guest memory, sparse; null when the state holds it. */
  readonly memory: string | null;
  /** Devices and CPUs. */
  readonly state: string;
  /** What the writable disks held, by id: the lowest layer first. */
  readonly disks: Readonly<Record<string, readonly DiskLayer[]>>;
}

export interface DiskLayer {
  readonly path: string;
  readonly format: "raw" | "qcow2";
}

export type Arch = "x86_64" | "aarch64";

/** A verified kernel and the forms it can be booted in; the backend picks the robust one. */
export interface KernelImage {
  /** Identity for cache keys: the sha256 of the file the kernel came from. */
  readonly sha256: string;
  readonly files: KernelFiles;
  /** `own` has its drivers built in and needs neither PCI nor ACPI; `distribution` needs modules. */
  readonly flavor: "own" | "distribution";
  /** Release as `uname -r` prints it. */
  readonly version: string;
  readonly arch: Arch;
  /** Timer frequency of the kernel build, for `lpj=`. */
  readonly hz: number;
}

/** At least one is not null. */
export interface KernelFiles {
  readonly bzImage: string | null;
  /** Uncompressed ELF with a PVH entry. */
  readonly vmlinux: string | null;
  /** Flat image (arm64). */
  readonly image: string | null;
}

export interface MachineRequest {
  /** Names the machine in process lists and logs; a safe name. */
  readonly name: string;
  readonly memoryMib: number;
  readonly cpus: number;
  readonly kernel: KernelImage;
  readonly initramfsPath: string;
  /** Block devices; the guest finds each by its id (the disk's serial). */
  readonly disks: readonly DiskAttachment[];
  /** Extra words for the kernel command line. */
  readonly cmdline: readonly string[];
  /** The console is appended here (0600). */
  readonly consolePath: string;
  /** Keeps guest memory in a form that `Snapshots.save` can take. Default false. */
  readonly saveable?: boolean | undefined;
  /** Start from what was saved instead of booting: the machine comes up paused. Absolute paths. */
  readonly from?: { readonly memory: string | null; readonly state: string } | undefined;
}

export interface DiskAttachment {
  /** At most 20 bytes of `[a-z0-9-]`: the guest can read it as the device's serial. */
  readonly id: string;
  readonly path: string;
  readonly readOnly: boolean;
  /** `disposable` disks may lose writes when the host dies: no flush reaches the host's disk. */
  readonly durability: "durable" | "disposable";
  /** What a copy-on-write disk lies on, the lowest layer first; with it `path` is made by the backend. */
  readonly layers?: readonly DiskLayer[] | undefined;
  /** `path` was written by an earlier machine, and goes on as it was left. */
  readonly continues?: boolean | undefined;
}

/** One running VM. Owned by whoever started it. */
export interface Machine {
  readonly name: string;
  /** Process id of the VMM, null where there is none. */
  readonly pid: number | null;
  /** The byte stream to the guest agent; ends when the machine does. */
  readonly link: Duplex;
  /** Always resolves, exactly once, never rejects. */
  readonly exit: Promise<MachineExit>;
  /** The last bytes of the guest's console, control characters included. */
  consoleTail(): string;
  /** Ends the machine now and resolves when it is gone. May be called again. */
  kill(reason: string): Promise<MachineExit>;
  /** Null where the backend cannot freeze its CPUs. */
  readonly freezer: Freezer | null;
}

export interface Freezer {
  pause(op: Op): Promise<void>;
  resume(op: Op): Promise<void>;
}

export type MachineExit =
  /** We asked for it. */
  | { readonly kind: "requested"; readonly reason: string; readonly consoleTail: string }
  /** The guest powered itself off or rebooted in good order. */
  | { readonly kind: "guest-shutdown"; readonly consoleTail: string }
  /** The guest kernel panicked, or the VMM ended with a failure of its own. */
  | {
      readonly kind: "crashed";
      readonly detail: string;
      readonly exitCode: number | null;
      readonly consoleTail: string;
    }
  /** Somebody else killed the VMM, or the kernel did because memory ran out. */
  | {
      readonly kind: "killed";
      readonly signal: string;
      /** What the kernel's counters say about memory; null when they say nothing. */
      readonly outOfMemory: OutOfMemory | null;
      readonly consoleTail: string;
    };

export interface OutOfMemory {
  /** One sentence without its period, such as "The kernel killed the VMM process: ...". */
  readonly sentence: string;
  readonly hint: string;
  /** The limit that was reached, null when the whole host had no memory left. */
  readonly limitMib: number | null;
  /** False when the kernel may have counted the end of another process. */
  readonly certain: boolean;
}
