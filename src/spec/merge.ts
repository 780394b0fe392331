import { resolve } from "node:path";
import { freshName } from "../base/ids.ts";
import { checkedFlag, choiceFlag, secondsFlag } from "./flags/flag-error.ts";
import type { Flags } from "./flags.ts";
import { givenFields } from "./given.ts";
import type { LoadedSpec } from "./load.ts";
import { mergeCommand, mergeSetup } from "./merge/merge-command.ts";
import { mergeEgress, mergeSecrets } from "./merge/merge-egress.ts";
import { mergeMachine } from "./merge/merge-machine.ts";
import { mergeMediation, mergeNetwork } from "./merge/merge-network.ts";
import { mergeEnv, mergeStorage } from "./merge/merge-storage.ts";
import { Merging } from "./merge/merging.ts";
import type { RunPlan, Surface } from "./plan.ts";
import type { LoadedPolicy } from "./policy-file.ts";
import {
  isFilled,
  isGuestFile,
  isHostname,
  isHostPath,
  isImageName,
  isSafeName,
} from "./schema/checks.ts";
import { defaultImage, defaultShell, restartPolicies } from "./schema/spec-schema.ts";

export interface MergeInput {
  readonly flags: Flags;
  readonly file: LoadedSpec | null;
  readonly surface: Surface;
  /** Content of the file of `--egress-policy`. */
  readonly policy?: LoadedPolicy | null | undefined;
  /** Where relative paths of flags start; the process's directory by default. */
  readonly cwd?: string | undefined;
}

const safeName = 'a name of letters, digits, ".", "_" and "-", at most 63 long';

/**
 * The one merge of flags and spec into a plan: flag, then spec, then profile, then default, field by
 * field; `env` key by key; `outputs`, `disks`, `bundles`, `agent.allow` and `agent.cred-swap` joined,
 * `agent.allow` with the policy file too.
 * Fails with `invalid_argument` or `usage` for a flag, with `spec_invalid` for a field.
 */
export function mergeSpec(input: MergeInput): RunPlan {
  const { flags, surface } = input;
  const merging = new Merging(flags, input.file, input.cwd ?? process.cwd(), input.policy ?? null);
  const { spec, cwd } = merging;

  const name = merging.pick(
    "name",
    { flag: checked("--name", flags.name, isSafeName, safeName), spec: spec.name },
    freshName(surface),
  );
  const seconds = (
    field: string,
    flag: string,
    value: string | number | undefined,
    fallback: number,
  ) =>
    merging.pick(
      field,
      { flag: value === undefined ? undefined : secondsFlag(flag, value) },
      fallback,
    );

  return {
    surface,
    specFile: input.file?.source.file ?? null,
    source: input.file?.source ?? null,
    name,
    image: merging.pick(
      "image",
      {
        flag: checked(
          "--image",
          flags.image,
          isImageName,
          'an image such as "docker.io/library/debian:13"',
        ),
        spec: spec.image === undefined ? undefined : imageFromSpec(spec.image, merging.baseDir),
      },
      defaultImage,
    ),
    pull: merging.pick<RunPlan["pull"]>(
      "pull",
      {
        flag:
          flags.pull === undefined
            ? undefined
            : choiceFlag("--pull", flags.pull, ["missing", "always", "never"]),
      },
      "missing",
    ),
    insecureRegistries: merging.pick<readonly string[]>(
      "insecureRegistries",
      {
        flag: flags.insecureRegistry?.map((host) =>
          checkedFlag(
            "--insecure-registry",
            host,
            isFilled,
            'a registry such as "registry.example.com:5000"',
          ),
        ),
      },
      [],
    ),
    ...mergeMachine(merging),
    restart: merging.pick<RunPlan["restart"]>(
      "restart",
      {
        flag:
          flags.restart === undefined
            ? undefined
            : choiceFlag("--restart", flags.restart, restartPolicies),
        spec: spec.restart,
      },
      "never",
    ),
    command: mergeCommand(merging),
    shell: merging.pick(
      "shell",
      {
        flag: checked(
          "--shell",
          flags.shell,
          isGuestFile,
          'an absolute guest path such as "/bin/bash"',
        ),
        spec: spec.shell,
      },
      defaultShell,
    ),
    hostname: merging.pick(
      "hostname",
      {
        flag: checked(
          "--hostname",
          flags.hostname,
          isHostname,
          "at most 63 letters, digits and inner hyphens",
        ),
        spec: spec.hostname,
      },
      hostnameFrom(name),
    ),
    setup: mergeSetup(merging),
    ...mergeStorage(merging),
    ...mergeEnv(merging),
    network: mergeNetwork(merging),
    egress: mergeEgress(merging),
    secrets: mergeSecrets(merging),
    mediation: mergeMediation(merging),
    health: merging.pick<RunPlan["health"]>("health", { spec: spec.health }, null),
    model: merging.pick<string | null>(
      "model",
      { flag: checked("--model", flags.model, isFilled, "a model reference"), spec: spec.model },
      null,
    ),
    modelRunner: merging.pick<RunPlan["modelRunner"]>(
      "modelRunner",
      { spec: spec.modelRunner },
      null,
    ),
    modelMediation: merging.pick<RunPlan["modelMediation"]>(
      "modelMediation",
      { spec: spec.modelMediation },
      null,
    ),
    acknowledgeCapabilityRisk: merging.pick<string | null>(
      "acknowledgeCapabilityRisk",
      { spec: spec.acknowledgeCapabilityRisk },
      null,
    ),
    outputDir: resolve(
      cwd,
      merging.pick(
        "outputDir",
        { flag: checked("--output-dir", flags.outputDir, isHostPath, "a directory on the host") },
        `microagent-out/${name}`,
      ),
    ),
    requireOutputs: merging.pick("requireOutputs", { flag: flags.requireOutputs }, false),
    keep: merging.pick("keep", { flag: flags.keep }, false),
    useTemplates: merging.pick(
      "useTemplates",
      { flag: flags.noTemplate === true ? false : undefined },
      true,
    ),
    timeoutSeconds: seconds("timeoutSeconds", "--timeout", flags.timeoutSeconds, 300),
    pullTimeoutSeconds: seconds(
      "pullTimeoutSeconds",
      "--pull-timeout",
      flags.pullTimeoutSeconds,
      1800,
    ),
    bootTimeoutSeconds: seconds(
      "bootTimeoutSeconds",
      "--boot-timeout",
      flags.bootTimeoutSeconds,
      60,
    ),
    provenance: merging.provenance,
    given: givenFields(flags, spec),
    notes: merging.notes,
  };
}

/** A host name made from a workspace name: other characters become hyphens. */
export function hostnameFrom(name: string): string {
  const made = name
    .replace(/[^A-Za-z0-9-]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  return made === "" ? "microagent" : made;
}

function checked(
  flag: string,
  value: string | undefined,
  check: (value: string) => ReturnType<typeof isFilled>,
  wanted: string,
): string | undefined {
  return value === undefined ? undefined : checkedFlag(flag, value, check, wanted);
}

/** Relative paths in the spec start at the spec file, in images too. */
function imageFromSpec(image: string, baseDir: string): string {
  const match = /^(oci|oci-archive|docker-archive):(?!\/\/)(.+)$/.exec(image);
  return match === null ? image : `${match[1]}:${resolve(baseDir, match[2] ?? "")}`;
}
