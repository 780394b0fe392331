import type { StandIn } from "./flags/egress-host-flag.ts";
import type { VolumeMount } from "./flags/volume-flag.ts";
import type { GuestAddresses } from "./guest-addresses.ts";
import type { Forward } from "./list-checks.ts";
import type { Place } from "./placed.ts";
import type { ProfileName } from "./profiles.ts";
import type { BrokerEntry, EgressMode } from "./schema/agent-schema.ts";
import type { NetworkMode } from "./schema/network-schema.ts";
import type { RestartPolicy, SpecFile } from "./schema/spec-schema.ts";
import type { SpecSource } from "./source.ts";

export type Surface = "dispatch" | "run" | "create";

/** Where a resolved value came from; `union` when flag and spec both gave a part. */
export type Origin = "flag" | "spec" | "profile" | "default" | "union";

/** What to run: a text for the shell, an exact argument vector, or what the image says. */
export type PlanCommand =
  | { readonly kind: "shell"; readonly text: string }
  | { readonly kind: "argv"; readonly argv: readonly string[] }
  | { readonly kind: "image" };

/** A setup command as text, or as a host file (absolute path) whose content is the command. */
export type SetupStep =
  | { readonly kind: "run"; readonly text: string }
  | { readonly kind: "file"; readonly path: string; readonly place: Place };

/** A host file (absolute path) to copy in. */
export interface PlanFile {
  readonly src: string;
  /** Absolute guest path, cleaned. */
  readonly dst: string;
  /** Permission bits; null takes the source's, masked with 0644. */
  readonly mode: number | null;
  readonly place: Place;
}

/** A disk or bundle; `path` is absolute. */
export interface PlanDisk {
  readonly kind: "disk" | "bundle";
  readonly name: string;
  readonly path: string;
  readonly mountpoint: string;
  readonly mode: "ro" | "rw";
}

/** A field that was given explicitly, wherever it was. */
export interface GivenField {
  /** Path in the vocabulary of the spec: `agent.egress`; flags without a field: `--secret`. */
  readonly field: string;
  readonly place: Place;
  /** As it was given. */
  readonly value: unknown;
}

/** A run with every question answered: nothing below this looks at flags or the spec again. */
export interface RunPlan {
  readonly surface: Surface;
  /** Spec file as named by the caller, null without one. */
  readonly specFile: string | null;
  /** For errors that concern a place in the spec file. */
  readonly source: SpecSource | null;
  readonly name: string;
  readonly image: string;
  readonly pull: "missing" | "always" | "never";
  readonly insecureRegistries: readonly string[];
  /** Null takes the host's. */
  readonly arch: "x86_64" | "aarch64" | null;
  /** Catalogue name or path; null takes the default kernel. */
  readonly kernel: string | null;
  readonly accel: "auto" | "kvm" | "hvf" | "tcg";
  readonly profile: ProfileName | null;
  readonly resources: {
    readonly memoryMib: number;
    readonly cpus: number;
    /** Writable disk. */
    readonly sizeMib: number;
    /** True when a flag or the spec gave the size, so that it must not grow. */
    readonly sizePinned: boolean;
    readonly headroomMib: number;
  };
  readonly restart: RestartPolicy;
  readonly command: PlanCommand;
  readonly shell: string;
  readonly hostname: string;
  readonly setup: readonly SetupStep[];
  readonly files: readonly PlanFile[];
  readonly env: Readonly<Record<string, string>>;
  /** Names of variables whose value came by flag: not to be shown. */
  readonly envByFlag: readonly string[];
  readonly network: {
    readonly mode: NetworkMode;
    readonly interface: string | null;
    readonly forwards: readonly Forward[];
    readonly dns: readonly string[];
    readonly routes: readonly string[];
    readonly ip: string | null;
    readonly subnet: string | null;
    readonly gateway: string | null;
    readonly ipv6: string | null;
    readonly ipv6Subnet: string | null;
    readonly ipv6Gateway: string | null;
    /** What the guest gets, the fields above and the defaults together. */
    readonly addresses: GuestAddresses;
  };
  readonly egress: {
    readonly mode: EgressMode;
    /** Lower case, without trailing dots; the policy file's among them. */
    readonly allow: readonly string[];
    readonly passthrough: readonly string[];
    readonly policyFile: string | null;
    /** `PROVIDER=reference`, the reference always there. */
    readonly credSwap: readonly string[];
    readonly swapConfigFile: string | null;
    readonly caps: {
      /** Both directions together; null is no bound. */
      readonly bytesPerSecond: number | null;
      readonly totalBytes: number;
      /** At once. */
      readonly connections: number;
    };
    /** Absolute paths of PEM files. */
    readonly caFiles: readonly string[];
    readonly standIns: readonly StandIn[];
    readonly brokers: readonly BrokerEntry[];
  };
  readonly secrets: {
    readonly files: readonly string[];
    readonly onDemand: readonly string[];
    readonly envFiles: readonly string[];
    readonly audit: boolean;
  };
  readonly mediation: {
    readonly port: number;
    readonly target: string;
    readonly required: boolean;
    readonly failClosed: boolean;
  } | null;
  readonly health: SpecFile["health"] | null;
  readonly disks: readonly PlanDisk[];
  readonly volumes: readonly VolumeMount[];
  /** Paths are absolute guest paths, cleaned. */
  readonly outputs: readonly { readonly name: string; readonly path: string }[];
  readonly model: string | null;
  readonly modelRunner: SpecFile["modelRunner"] | null;
  readonly modelMediation: SpecFile["modelMediation"] | null;
  readonly acknowledgeCapabilityRisk: string | null;
  /** Absolute host directory. */
  readonly outputDir: string;
  readonly requireOutputs: boolean;
  readonly keep: boolean;
  /** Start after setup from a machine that an earlier run has kept, and keep one for later runs. */
  readonly useTemplates: boolean;
  /** Setup and command together. */
  readonly timeoutSeconds: number;
  readonly pullTimeoutSeconds: number;
  readonly bootTimeoutSeconds: number;
  /** Where each field's value came from, by the plan's field path. */
  readonly provenance: Readonly<Record<string, Origin>>;
  /** Every field that was asked for explicitly. */
  readonly given: readonly GivenField[];
  /** Things worth telling that are no errors, one sentence each. */
  readonly notes: readonly string[];
}
