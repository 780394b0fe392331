/**
 * The one error class of the product and its closed table of codes.
 *
 * Messages are one sentence: capital letter, active voice, no final period, values in double quotes,
 * the state found and the state wanted. A hint is the next step, a command where there is one.
 */

import { oneLine } from "./foreign-text.ts";
import { limits } from "./limits.ts";

/** Who has to act: the caller, this host, the guest's workload, a remote service, or us. */
export type Blame = "user" | "host" | "guest" | "remote" | "bug";

/** Coarse class for machines, stable across versions. */
export type ErrorKind =
  | "usage"
  | "transient"
  | "permanent"
  | "conflict"
  | "not_found"
  | "resource_exhausted"
  | "unsupported"
  | "policy_denied";

interface ErrorClass {
  readonly blame: Blame;
  readonly kind: ErrorKind;
  readonly meaning: string;
}

export const errorTable = {
  // The caller
  usage: { blame: "user", kind: "usage", meaning: "The command line cannot be understood" },
  invalid_argument: { blame: "user", kind: "permanent", meaning: "A value is not acceptable" },
  not_supported_yet: {
    blame: "user",
    kind: "unsupported",
    meaning: "The field or command is valid, but its feature is not built yet",
  },
  cancelled: { blame: "user", kind: "permanent", meaning: "The caller gave up (signal or abort)" },
  timeout: { blame: "host", kind: "transient", meaning: "A deadline passed before the step ended" },
  closed: { blame: "user", kind: "permanent", meaning: "The object was used after it was closed" },
  internal: { blame: "bug", kind: "permanent", meaning: "A fault of microagent itself" },
  // Spec
  spec_not_found: { blame: "user", kind: "not_found", meaning: "The spec file does not exist" },
  spec_invalid: { blame: "user", kind: "permanent", meaning: "The spec file breaks its schema" },
  // Images
  image_reference_invalid: {
    blame: "user",
    kind: "permanent",
    meaning: "The image reference cannot be parsed",
  },
  image_not_found: { blame: "user", kind: "not_found", meaning: "No such image or tag" },
  image_unauthorized: {
    blame: "user",
    kind: "policy_denied",
    meaning: "The registry refused the credentials or wants some",
  },
  image_unsupported: {
    blame: "user",
    kind: "unsupported",
    meaning: "The image has no usable platform or media type",
  },
  image_digest_mismatch: {
    blame: "remote",
    kind: "permanent",
    meaning: "Bytes do not match the digest they were promised under",
  },
  image_corrupt: {
    blame: "remote",
    kind: "permanent",
    meaning: "A layer, manifest or archive is truncated or malformed",
  },
  image_hostile: {
    blame: "remote",
    kind: "policy_denied",
    meaning: "A layer tries to escape its tree or exhaust the host",
  },
  registry_unreachable: {
    blame: "remote",
    kind: "transient",
    meaning: "The registry does not answer",
  },
  registry_rate_limited: {
    blame: "remote",
    kind: "transient",
    meaning: "The registry wants fewer requests (429)",
  },
  registry_failed: {
    blame: "remote",
    kind: "transient",
    meaning: "The registry answered with a server error",
  },
  // Store and host
  store_corrupt: {
    blame: "host",
    kind: "permanent",
    meaning: "A file of the state directory cannot be read as what it should be",
  },
  lock_timeout: {
    blame: "host",
    kind: "transient",
    meaning: "Another process kept a lock for too long",
  },
  no_space: {
    blame: "host",
    kind: "resource_exhausted",
    meaning: "The disk or the quota is full",
  },
  host_tool_missing: {
    blame: "host",
    kind: "not_found",
    meaning: "A program this step needs is not installed",
  },
  host_tool_failed: {
    blame: "host",
    kind: "permanent",
    meaning: "A program this step needs ended with a failure",
  },
  host_unsupported: {
    blame: "host",
    kind: "unsupported",
    meaning: "This host cannot do what was asked",
  },
  // Kernels
  kernel_not_found: { blame: "user", kind: "not_found", meaning: "No such kernel" },
  kernel_fetch_failed: {
    blame: "remote",
    kind: "transient",
    meaning: "The kernel could not be fetched",
  },
  kernel_digest_mismatch: {
    blame: "remote",
    kind: "permanent",
    meaning: "The kernel is not the one that was promised",
  },
  kernel_build_failed: { blame: "host", kind: "permanent", meaning: "The kernel did not build" },
  // Secrets
  secret_not_found: {
    blame: "user",
    kind: "not_found",
    meaning: "A secret's reference names nothing, or something empty",
  },
  secret_denied: {
    blame: "user",
    kind: "policy_denied",
    meaning: "The place of a secret refused the credentials or wants some",
  },
  secret_unusable: {
    blame: "user",
    kind: "permanent",
    meaning: "A secret was found and cannot be used as it is",
  },
  secret_source_failed: {
    blame: "remote",
    kind: "transient",
    meaning: "The place of a secret does not answer as it should",
  },
  mediation_unavailable: {
    blame: "host",
    kind: "transient",
    meaning: "The target of a required mediation channel does not answer",
  },
  // Machines
  vmm_not_found: { blame: "host", kind: "not_found", meaning: "The VMM program is not installed" },
  vmm_too_old: { blame: "host", kind: "unsupported", meaning: "The VMM program is too old" },
  vmm_failed: { blame: "host", kind: "permanent", meaning: "The VMM ended with a failure" },
  accel_unavailable: {
    blame: "host",
    kind: "unsupported",
    meaning: "The acceleration that was asked for does not work here",
  },
  boot_timeout: {
    blame: "host",
    kind: "transient",
    meaning: "The guest did not answer in time after power-on",
  },
  guest_crashed: { blame: "guest", kind: "permanent", meaning: "The guest kernel panicked" },
  guest_powered_off: {
    blame: "guest",
    kind: "permanent",
    meaning: "The guest powered off while it was needed",
  },
  machine_killed: { blame: "host", kind: "transient", meaning: "The VMM process was killed" },
  template_broken: {
    blame: "host",
    kind: "permanent",
    meaning: "A saved machine cannot be started here",
  },
  over_budget: {
    blame: "user",
    kind: "resource_exhausted",
    meaning: "A machine is larger than all machines together may be",
  },
  snapshot_not_found: { blame: "user", kind: "not_found", meaning: "No such snapshot or template" },
  workspace_not_found: { blame: "user", kind: "not_found", meaning: "No such workspace" },
  name_taken: { blame: "user", kind: "conflict", meaning: "The workspace name is in use" },
  wrong_state: {
    blame: "user",
    kind: "conflict",
    meaning: "The workspace is in a state that does not allow this",
  },
  port_taken: { blame: "user", kind: "conflict", meaning: "A host port to publish is in use" },
  // The channel and the agent
  channel_closed: {
    blame: "guest",
    kind: "permanent",
    meaning: "The connection to the guest agent ended",
  },
  protocol_violation: {
    blame: "guest",
    kind: "policy_denied",
    meaning: "The guest sent something the protocol does not allow",
  },
  agent_mismatch: {
    blame: "host",
    kind: "unsupported",
    meaning: "The guest agent speaks another protocol version",
  },
  guest_refused: {
    blame: "guest",
    kind: "permanent",
    meaning: "The guest agent could not do what was asked",
  },
  exec_not_started: {
    blame: "user",
    kind: "permanent",
    meaning: "The command never started in the guest",
  },
  command_failed: {
    blame: "guest",
    kind: "permanent",
    meaning: "A command that had to succeed did not",
  },
  guest_file_not_found: {
    blame: "user",
    kind: "not_found",
    meaning: "No such path in the guest",
  },
  setup_failed: { blame: "user", kind: "permanent", meaning: "A setup command failed" },
  copy_incomplete: {
    blame: "user",
    kind: "policy_denied",
    meaning: "Entries of a copied tree cannot be copied; the others were",
  },
  output_missing: {
    blame: "user",
    kind: "not_found",
    meaning: "A declared output did not come out of the guest, or only in part",
  },
  result_not_found: {
    blame: "user",
    kind: "not_found",
    meaning: "There is no record of a run at this place",
  },
  result_invalid: {
    blame: "user",
    kind: "permanent",
    meaning: "A file is no record of a run, or a damaged one",
  },
  output_refused: {
    blame: "guest",
    kind: "policy_denied",
    meaning: "An output breaks a cap or a naming rule",
  },
} as const satisfies Record<string, ErrorClass>;

export type ErrorCode = keyof typeof errorTable;

/** Values that explain an error to a program; never secrets. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

export interface ErrorOptions {
  readonly hint?: string | undefined;
  /** The named step that failed, for example `boot/handshake`. */
  readonly step?: string | undefined;
  readonly details?: ErrorDetails | undefined;
  readonly cause?: unknown;
}

const brand: unique symbol = Symbol.for("microagent.error");

export class MicroagentError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: ErrorDetails;
  readonly step: string | undefined;
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    // Every message may hold what an image, a registry or a guest said, and no place that makes one can forget it.
    super(
      oneLine(message, limits.message.charsMax),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = "MicroagentError";
    this.code = code;
    this.hint =
      options.hint === undefined ? undefined : oneLine(options.hint, limits.message.charsMax);
    this.details = options.details ?? {};
    this.step = options.step;
  }

  get blame(): Blame {
    return errorTable[this.code].blame;
  }

  get kind(): ErrorKind {
    return errorTable[this.code].kind;
  }

  get retryable(): boolean {
    return this.kind === "transient";
  }
}

/** True for our errors, also for those of a second copy of this package. */
export function isMicroagentError(value: unknown): value is MicroagentError {
  return value instanceof Error && (value as { [brand]?: unknown })[brand] === true;
}

/** Wraps anything thrown: ours pass unchanged, foreign errors become `internal` with their cause. */
export function asMicroagentError(value: unknown): MicroagentError {
  if (isMicroagentError(value)) return value;
  const message = value instanceof Error ? value.message : String(value);
  return new MicroagentError("internal", `Unexpected failure: ${message}`, {
    cause: value,
    hint: "This is a bug in microagent; run again with --debug and report the trace",
  });
}

/** Process exit code of an error: 2 usage, 75 worth a retry, 1 everything else. */
export function exitCodeOf(error: MicroagentError): 1 | 2 | 75 {
  if (error.kind === "usage") return 2;
  return error.retryable ? 75 : 1;
}

/** True when a step's deadline ended it. */
export function isTimeout(value: unknown): boolean {
  return isMicroagentError(value) && value.code === "timeout";
}

/** Errno of a Node system error (`ENOENT`), or undefined. */
export function errnoOf(value: unknown): string | undefined {
  if (!(value instanceof Error)) return undefined;
  const code = (value as NodeJS.ErrnoException).code;
  // Ours have codes too, and they are no errno.
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
