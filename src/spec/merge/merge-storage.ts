import { resolve } from "node:path";
import { parseDiskFlag } from "../flags/disk-flag.ts";
import { parseEnvFlag } from "../flags/env-flag.ts";
import { parseOutputFlag } from "../flags/output-flag.ts";
import { parseVolumeFlag } from "../flags/volume-flag.ts";
import { cleanGuestPath } from "../guest-path.ts";
import { checkDisks, checkFiles, checkOutputs } from "../list-checks.ts";
import { type Placed, placedItems, within } from "../placed.ts";
import type { PlanDisk, RunPlan } from "../plan.ts";
import type { DiskEntry } from "../schema/storage-schema.ts";
import { type Merging, valuesOf } from "./merging.ts";

type Storage = Pick<RunPlan, "files" | "disks" | "volumes" | "outputs">;

/** Files, disks, volumes and outputs; what flags name is added to what the spec names. */
export function mergeStorage(merging: Merging): Storage {
  const { spec, baseDir, cwd } = merging;
  const files = merging.union("files", placedItems(spec.files, ["files"]), []);
  const outputs = merging.union(
    "outputs",
    placedItems(spec.outputs, ["outputs"]),
    merging.flagItems("output", parseOutputFlag),
  );
  const disks = merging.union(
    "disks",
    placedItems(spec.disks, ["disks"]),
    merging.flagItems("disk", (text) => parseDiskFlag("--disk", text)),
  );
  const bundles = merging.union(
    "bundles",
    placedItems(spec.bundles, ["bundles"]),
    merging.flagItems("bundle", (text) => parseDiskFlag("--bundle", text)),
  );
  const volumes = merging.union("volumes", [], merging.flagItems("volume", parseVolumeFlag));
  merging.refuse([...checkOutputs(outputs), ...checkDisks(disks, bundles), ...checkFiles(files)]);

  const planDisk =
    (kind: PlanDisk["kind"]) =>
    ({ value, place }: Placed<DiskEntry>): PlanDisk => ({
      kind,
      name: value.name,
      path: resolve(place.kind === "flag" ? cwd : baseDir, value.path),
      mountpoint: cleanGuestPath(value.mountpoint),
      mode: value.mode,
    });
  return {
    files: files.map(({ value, place }) => ({
      src: resolve(baseDir, value.src),
      dst: cleanGuestPath(value.dst),
      mode: value.mode === undefined ? null : Number.parseInt(value.mode, 8),
      place: within(place, "src"),
    })),
    outputs: valuesOf(outputs).map(({ name, path }) => ({ name, path: cleanGuestPath(path) })),
    disks: [...disks.map(planDisk("disk")), ...bundles.map(planDisk("bundle"))],
    volumes: valuesOf(volumes).map((volume) =>
      volume.kind === "volume" ? volume : { ...volume, source: resolve(cwd, volume.source) },
    ),
  };
}

/** The environment, key by key: a flag beats the spec. */
export function mergeEnv(merging: Merging): Pick<RunPlan, "env" | "envByFlag"> {
  const env: Record<string, string> = { ...merging.spec.env };
  const byFlag = valuesOf(merging.flagItems("env", parseEnvFlag));
  const fromSpec = Object.keys(env).length > 0;
  merging.provenance.env =
    byFlag.length > 0 ? (fromSpec ? "union" : "flag") : fromSpec ? "spec" : "default";
  for (const { name, value } of byFlag) env[name] = value;
  return { env, envByFlag: [...new Set(byFlag.map(({ name }) => name))] };
}
