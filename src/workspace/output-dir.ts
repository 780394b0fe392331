import { rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, isMicroagentError, MicroagentError } from "../base/errors.ts";
import { safeNamePattern } from "../base/ids.ts";
import { fileError } from "../host/file-error.ts";
import { makeTempDir } from "../host/files.ts";
import { existingDirOf, makeDirs } from "../host/make-dirs.ts";
import type { RunPlan } from "../spec/plan.ts";
import { checkReplaceable, outputsOfEarlierRun } from "./output-ownership.ts";
import type { CollectedOutputs } from "./outputs.ts";

/** Where a run leaves its outputs and its record; null when it has neither outputs nor a wish for it. */
export function outputDirOf(plan: RunPlan): string | null {
  const wanted = plan.outputs.length > 0 || plan.provenance.outputDir === "flag";
  return wanted ? plan.outputDir : null;
}

/**
 * Looks before the run whether its outputs will have a place, so that nobody waits for a run whose results
 * are lost. `invalid_argument`, `no_space`, `output_refused`; makes nothing that stays.
 */
export async function checkOutputDir(plan: RunPlan): Promise<void> {
  const dir = outputDirOf(plan);
  if (dir === null) return;
  try {
    await using probe = await makeTempDir(await existingDirOf(dir), ".microagent-probe-");
    await makeDirs(join(probe.path, "below"));
  } catch (error) {
    const cause = isMicroagentError(error) ? (error.cause ?? error) : error;
    const place =
      plan.provenance.outputDir === "flag" ? "Flag --output-dir: directory" : "Output directory";
    throw outputDirError(cause, `${place} "${dir}" cannot be written`);
  }
  const earlier = await outputsOfEarlierRun(dir);
  for (const output of plan.outputs) await checkReplaceable(dir, output.name, earlier);
}

/** The error of a host file beside the outputs: `no_space`, else `invalid_argument` with the reason. */
export function outputDirError(error: unknown, sentence: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  if (errno === "ENOSPC" || errno === "EDQUOT") return fileError(error, sentence);
  return new MicroagentError("invalid_argument", `${sentence} (${errno})`, {
    cause: error,
    hint: "Choose another with --output-dir",
    details: { errno },
  });
}

/** Codes of failures to write on this host, whatever the guest did, and of an end of the step's time. */
const hostCodes: readonly string[] = ["no_space", "invalid_argument", "store_corrupt", "timeout"];

/** The first output that was lost on this host, or for lack of time. */
export function lostOnHost(outputs: CollectedOutputs): MicroagentError | null {
  const lost = outputs.incomplete.find((entry) => hostCodes.includes(entry.error.code));
  return lost?.error ?? null;
}

/**
 * Removes what an earlier run left in the directory and this run did not write, because it would pass for
 * this run's. Only names of its manifest go, and only those that can be an output's.
 */
export async function removeStaleOutputs(
  outputDir: string,
  written: readonly string[],
): Promise<void> {
  for (const name of await outputsOfEarlierRun(outputDir)) {
    if (written.includes(name) || !safeNamePattern.test(name)) continue;
    await rm(join(outputDir, name), { recursive: true, force: true });
  }
}
