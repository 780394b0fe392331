import { type Command, Option } from "commander";
import type { Flags } from "../index.ts";

/** The flags that `dispatch` and `run` share, in the order in which help shows them. */
const valueFlags: readonly [flags: string, description: string][] = [
  ["--file <path>", "Spec file (microagent.yaml); with an agent: block an Agentfile"],
  ["--image <ref>", "Image: docker://, oci:, oci-archive:, docker-archive: or mmdebstrap:"],
  ["--exec <text>", "Command text for the shell"],
  ["--entrypoint <text>", "Command text for the shell, before agent.entry"],
  ["--shell <path>", "Guest shell (default /bin/sh)"],
  ["--name <name>", "Workspace name (default: a fresh one)"],
  ["--hostname <name>", "Guest host name (default: the workspace name)"],
  ["--profile <name>", "tiny, small, medium or large"],
  ["--memory <MiB>", "Guest memory (default 512)"],
  ["--cpus <n>", "Virtual CPUs (default 2)"],
  ["--size-mib <MiB>", "Writable disk"],
  ["--network <mode>", "user (the default), nat, isolated or bridged"],
  ["--network-interface <if>", "Host interface for bridged"],
  ["--egress <mode>", "guarded (public hosts, the default), strict (listed hosts) or off"],
  ["--egress-policy <file>", "Policy file (YAML or JSON) with allow and passthrough lists"],
  ["--egress-max-bytes-per-sec <bytes>", "Bound on what the guest sends and receives per second"],
  ["--egress-max-total-bytes <bytes>", "Bound on what it sends and receives (default 50GiB)"],
  ["--egress-max-conns <n>", "Bound on connections at once (default 256)"],
  [
    "--egress-swap-config <file>",
    "YAML or JSON file with more credential swaps (docs/credential-swap.md)",
  ],
  ["--model <ref>", "Local model to pair with"],
  [
    "--mediation <p=host:port>",
    "Guest to host work channel: guest port, and where the host listens",
  ],
  ["--restart <policy>", "never, on-failure or always"],
  ["--timeout <seconds>", "Bound on setup and command together (default 300)"],
  ["--pull-timeout <seconds>", "Bound on fetching the image"],
  ["--boot-timeout <seconds>", "Bound on one boot"],
  ["--pull <policy>", "missing, always or never"],
  ["--kernel <name|path>", "Guest kernel (default: our own when built, else the distribution's)"],
  ["--arch <arch>", "Guest architecture"],
  ["--accel <mode>", "auto, kvm, hvf or tcg; all but auto never fall back"],
  ["--output-dir <dir>", "Where outputs go (default ./microagent-out/<workspace>)"],
  ["--state-dir <dir>", "State directory (also: MICROAGENT_STATE_DIR; default ~/.microagent)"],
];

const listFlags: readonly [flags: string, description: string][] = [
  ["--setup <text>", "Setup command, before the entry; may be repeated"],
  ["--setup-file <path>", "File whose content is one setup command; may be repeated"],
  ["-e, --env <K=V>", "Environment variable; may be repeated"],
  // The global --output FORMAT stands before the command; after it, outputs are declared.
  [
    "--output <name=path>",
    "Declare an output: a guest file or directory to bring back; may be repeated",
  ],
  [
    "-p, --publish <mapping>",
    "[host:]hostPort:guestPort[/tcp]; host port 0 picks a free one; may be repeated",
  ],
  ["--disk <n=p:/m:mode>", "Attach an ext4 disk"],
  ["--bundle <n=p:/m:mode>", "Attach a tar as a disk"],
  ["-v, --volume <src:dst>", "Attach a volume"],
  ["--secret <N=ref>", "Secret as a file under /run/secrets: NAME=reference; may be repeated"],
  [
    "--secret-on-demand <N=ref>",
    "Secret through the guest socket, resolved anew each time; may be repeated",
  ],
  [
    "--secrets-env-file <path>",
    "Dotenv file whose keys become files under /run/secrets; may be repeated",
  ],
  [
    "--egress-allow <host>",
    "Permit a host: name, .suffix or address, optionally with :port; may be repeated",
  ],
  ["--egress-passthrough <host>", "Permit a host, and never intercept its TLS; may be repeated"],
  [
    "--egress-ca <file>",
    "PEM file with roots for upstreams of swapped credentials; may be repeated",
  ],
  [
    "--egress-host <name=addr>",
    "For tests: NAME=ADDRESS[:PORT], a stand-in for a host; may be repeated",
  ],
  [
    "--cred-swap <provider>",
    "PROVIDER[=reference] (openai, anthropic, gemini, groq, openrouter or deepseek): a credential that only the host puts into requests; may be repeated",
  ],
  ["--insecure-registry <host>", "Speak plain HTTP to this registry"],
];

const switchFlags: readonly [flags: string, description: string][] = [
  ["--image-command", "Run the image's own command"],
  ["--require-outputs", "Fail when a declared output is missing"],
  ["--keep", "Keep the workspace directory (console, disks) after the run"],
  ["--no-template", "Run setup even if a machine in which it has run is at hand, and keep none"],
  ["--rm", "Remove the workspace after the run (the default)"],
  ["--egress-lock-allowlist", "The same as --egress strict"],
  ["--secrets-audit", "Record every access to a secret"],
  ["--mediation-optional", "Start without a mediation listener"],
  ["--dry-run", "Print the resolved plan and do nothing"],
];

/** What the shared flags came to, before the spec is merged in. */
export interface RunOptions {
  readonly flags: Flags;
  readonly file: string | undefined;
  readonly stateDir: string | undefined;
  readonly dryRun: boolean;
}

export function addRunFlags(command: Command): void {
  for (const [flags, description] of valueFlags) command.addOption(new Option(flags, description));
  for (const [flags, description] of listFlags) {
    command.addOption(
      new Option(flags, description).argParser((value: string, before: string[] | undefined) => [
        ...(before ?? []),
        value,
      ]),
    );
  }
  for (const [flags, description] of switchFlags) command.option(flags, description);
}

/** The flags in the engine's words; `image` and `command` are the positional arguments. */
export function readRunFlags(
  options: Readonly<Record<string, unknown>>,
  image: string | undefined,
  command: readonly string[],
): RunOptions {
  const { file, stateDir, dryRun, timeout, pullTimeout, bootTimeout, rm: _rm, ...others } = options;
  const { template, ...rest } = others;
  const given: Record<string, unknown> = {
    ...rest,
    noTemplate: template === false ? true : undefined,
    timeoutSeconds: timeout,
    pullTimeoutSeconds: pullTimeout,
    bootTimeoutSeconds: bootTimeout,
    ...(image === undefined ? {} : { image }),
    ...(command.length === 0 ? {} : { command }),
  };
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return {
    flags: Object.fromEntries(present) as Flags,
    file: text(file),
    stateDir: text(stateDir),
    dryRun: dryRun === true,
  };
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
