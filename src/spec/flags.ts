/**
 * The flags of `dispatch` and `run` as they were given: texts are not parsed yet, repeated flags are
 * lists, and an absent flag is an absent key. Other surfaces (test plugin, CI action) fill in the
 * same thing. `flagName` gives the spelling for errors.
 */
export interface Flags {
  readonly name?: string | undefined;
  readonly image?: string | undefined;
  readonly profile?: string | undefined;
  /** Exact argument vector after the image. */
  readonly command?: readonly string[] | undefined;
  /** Command text for the shell. */
  readonly exec?: string | undefined;
  /** Run what the image says. */
  readonly imageCommand?: boolean | undefined;
  readonly entrypoint?: string | undefined;
  readonly shell?: string | undefined;
  readonly hostname?: string | undefined;
  readonly setup?: readonly string[] | undefined;
  readonly setupFile?: readonly string[] | undefined;
  /** `KEY=VALUE`. */
  readonly env?: readonly string[] | undefined;
  readonly memory?: NumberText | undefined;
  readonly cpus?: NumberText | undefined;
  readonly sizeMib?: NumberText | undefined;
  readonly restart?: string | undefined;
  readonly network?: string | undefined;
  readonly networkInterface?: string | undefined;
  /** `[host:]hostPort:guestPort[/tcp]`. */
  readonly publish?: readonly string[] | undefined;
  /** `name=path:/mountpoint:ro|rw`. */
  readonly disk?: readonly string[] | undefined;
  readonly bundle?: readonly string[] | undefined;
  /** `SOURCE:/mountpoint[:ro|rw]`. */
  readonly volume?: readonly string[] | undefined;
  /** `name=/guest/path`. */
  readonly output?: readonly string[] | undefined;
  /** `NAME=scheme:reference`. */
  readonly secret?: readonly string[] | undefined;
  readonly secretOnDemand?: readonly string[] | undefined;
  readonly secretsEnvFile?: readonly string[] | undefined;
  readonly secretsAudit?: boolean | undefined;
  readonly egress?: string | undefined;
  readonly egressAllow?: readonly string[] | undefined;
  readonly egressPassthrough?: readonly string[] | undefined;
  readonly egressPolicy?: string | undefined;
  readonly egressSwapConfig?: string | undefined;
  /** Only listed hosts: the same as `egress` "strict". */
  readonly egressLockAllowlist?: boolean | undefined;
  readonly egressMaxBytesPerSec?: NumberText | undefined;
  readonly egressMaxTotalBytes?: NumberText | undefined;
  readonly egressMaxConns?: NumberText | undefined;
  /** PEM files with roots that upstreams of swap hosts may be signed by. */
  readonly egressCa?: readonly string[] | undefined;
  /** For tests: `NAME=ADDRESS[:PORT]`, a stand-in for a host. */
  readonly egressHost?: readonly string[] | undefined;
  /** `PROVIDER[=env:NAME|file:PATH|dotenv:PATH#KEY|vault:PATH#FIELD|helper:ARGUMENT]`. */
  readonly credSwap?: readonly string[] | undefined;
  readonly brokerEndpoint?: readonly string[] | undefined;
  readonly model?: string | undefined;
  /** `port=host:port`. */
  readonly mediation?: string | undefined;
  readonly mediationOptional?: boolean | undefined;
  /** Seconds for setup and command together. */
  readonly timeoutSeconds?: NumberText | undefined;
  readonly pullTimeoutSeconds?: NumberText | undefined;
  readonly bootTimeoutSeconds?: NumberText | undefined;
  readonly keep?: boolean | undefined;
  readonly noTemplate?: boolean | undefined;
  readonly kernel?: string | undefined;
  readonly arch?: string | undefined;
  readonly accel?: string | undefined;
  readonly pull?: string | undefined;
  readonly insecureRegistry?: readonly string[] | undefined;
  readonly outputDir?: string | undefined;
  readonly requireOutputs?: boolean | undefined;
}

/** A number, or its decimal text as a command line has it. */
export type NumberText = number | string;

/** How a flag is written: `--egress-allow`. */
export function flagName(key: keyof Flags): string {
  const own: Partial<Record<keyof Flags, string>> = {
    command: "the command after the image",
    timeoutSeconds: "--timeout",
    pullTimeoutSeconds: "--pull-timeout",
    bootTimeoutSeconds: "--boot-timeout",
  };
  return own[key] ?? `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
