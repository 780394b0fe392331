import { architectures } from "../../base/architecture.ts";
import { choiceFlag, wholeFlag } from "../flags/flag-error.ts";
import type { RunPlan } from "../plan.ts";
import { defaultProfile, profileNames, profiles } from "../profiles.ts";
import type { Merging } from "./merging.ts";

type Machine = Pick<RunPlan, "profile" | "resources" | "arch" | "kernel" | "accel">;

/** Profile, resources, architecture, kernel and acceleration. */
export function mergeMachine(merging: Merging): Machine {
  const { flags, spec } = merging;
  const profile = merging.pick(
    "profile",
    {
      flag:
        flags.profile === undefined
          ? undefined
          : choiceFlag("--profile", flags.profile, profileNames),
      spec: spec.profile,
    },
    null,
  );
  const ofProfile = profile === null ? undefined : profiles[profile];
  const number = (
    flag: string,
    value: string | number | undefined,
    min: number,
    max: number,
    unit: string,
  ) => (value === undefined ? undefined : wholeFlag(flag, value, min, max, unit));

  const memoryMib = merging.pick(
    "resources.memoryMiB",
    {
      flag: number("--memory", flags.memory, 64, 16 * 1024 * 1024, " of MiB"),
      spec: spec.resources?.memoryMiB,
      profile: ofProfile?.memoryMib,
    },
    defaultProfile.memoryMib,
  );
  const cpus = merging.pick(
    "resources.cpuCount",
    {
      flag: number("--cpus", flags.cpus, 1, 1024, ""),
      spec: spec.resources?.cpuCount,
      profile: ofProfile?.cpus,
    },
    defaultProfile.cpus,
  );
  const sizeMib = merging.pick(
    "resources.sizeMiB",
    {
      flag: number("--size-mib", flags.sizeMib, 16, 64 * 1024 * 1024, " of MiB"),
      spec: spec.resources?.sizeMiB,
      profile: ofProfile?.sizeMib,
    },
    defaultProfile.sizeMib,
  );
  noteShadowedProfile(merging);
  const sizeOrigin = merging.provenance["resources.sizeMiB"];
  return {
    profile,
    resources: {
      memoryMib,
      cpus,
      sizeMib,
      sizePinned: sizeOrigin === "flag" || sizeOrigin === "spec",
      headroomMib: merging.pick(
        "resources.headroomMiB",
        { spec: spec.resources?.headroomMiB },
        512,
      ),
    },
    arch: merging.pick<Machine["arch"]>(
      "arch",
      {
        flag:
          flags.arch === undefined
            ? undefined
            : architectures[
                choiceFlag("--arch", flags.arch, ["x86_64", "aarch64", "amd64", "arm64"])
              ],
      },
      null,
    ),
    kernel: merging.pick<string | null>("kernel", { flag: flags.kernel }, null),
    accel: merging.pick<Machine["accel"]>(
      "accel",
      {
        flag:
          flags.accel === undefined
            ? undefined
            : choiceFlag("--accel", flags.accel, ["auto", "kvm", "hvf", "tcg"]),
      },
      "auto",
    ),
  };
}

/** `--profile` loses against `resources` of the spec; whoever typed it should hear of that. */
function noteShadowedProfile(merging: Merging): void {
  if (merging.provenance.profile !== "flag") return;
  const kept = ["memoryMiB", "cpuCount", "sizeMiB"].filter(
    (field) => merging.provenance[`resources.${field}`] === "spec",
  );
  if (kept.length === 0) return;
  merging.notes.push(
    `Profile "${merging.flags.profile}" does not change ${kept.map((field) => `resources.${field}`).join(", ")}: the spec sets ${kept.length === 1 ? "it" : "them"}`,
  );
}
