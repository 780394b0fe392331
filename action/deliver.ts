import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { setOutput, summary, warning } from "@actions/core";
import { type RunPlan, renderReportPage, withOp, writeReport } from "../src/index.ts";
import { linkFreeCopy, type UploadedArtifact, uploadFiles } from "./artifact-upload.ts";
import { exists } from "./exists.ts";
import type { Job } from "./job.ts";
import type { StepPaths } from "./paths.ts";
import { type EgressFacts, outputValues, type RunSurroundings, summaryFacts } from "./run-facts.ts";
import { say } from "./say.ts";
import type { StepSettings } from "./settings.ts";
import type { StepResult } from "./step-result.ts";
import { rememberStep } from "./step-state.ts";
import { summaryOf } from "./summary.ts";
import { workspaceCopyBack, workspacePatch } from "./workspace-back.ts";

/** Brings what changed in the guest's workspace back, as it was asked for. The patch's path, "" without one. */
export async function bringWorkspaceBack(
  settings: StepSettings,
  job: Job,
  paths: StepPaths,
): Promise<string> {
  if (settings.workspaceBack === "none" || !(await exists(paths.checkoutOut))) return "";
  if (settings.workspaceBack === "copy") {
    const count = await workspaceCopyBack(paths.checkoutIn, paths.checkoutOut, job.workspace);
    say(`${count} files of the checkout were written or removed`);
    return "";
  }
  if (!(await workspacePatch(paths.checkoutIn, paths.checkoutOut, paths.patch))) return "";
  await copyFile(paths.patch, join(paths.outputs, "workspace.patch"));
  return paths.patch;
}

/** Puts the report page beside the outputs. */
export async function addReport(paths: StepPaths): Promise<void> {
  try {
    const page = await withOp("report", {}, (op) => renderReportPage(op, paths.outputs));
    await writeReport(join(paths.outputs, "report.html"), page);
  } catch (error) {
    warning(`The report page could not be made: ${textOf(error)}`);
  }
}

/** Uploads what is in the output directory; a service that fails is told and costs nothing but the upload. */
export async function uploadOutputs(
  outputs: string,
  name: string,
  retentionDays: number | null,
): Promise<UploadedArtifact | null> {
  try {
    const copy = `${outputs}.upload`;
    const { files, leftOut } = await linkFreeCopy(outputs, copy);
    if (leftOut > 0) {
      warning(`${leftOut} files are not uploaded: an artifact takes ${files.length} of them`);
    }
    if (files.length === 0) return null;
    const uploaded = await uploadFiles(name, files, copy, retentionDays);
    rememberStep({ upload: "" });
    return uploaded;
  } catch (error) {
    warning(`The outputs could not be uploaded: ${textOf(error)}. They are in ${outputs}`);
    rememberStep({ upload: "" });
    return null;
  }
}

/** Sets every output and writes the summary; without a summary file the step goes on. */
export async function tellJob(
  settings: StepSettings,
  plan: RunPlan,
  result: StepResult,
  egress: EgressFacts,
  around: RunSurroundings,
): Promise<void> {
  for (const [name, value] of Object.entries(outputValues(result, egress, around))) {
    setOutput(name, value);
  }
  if (!settings.summary) return;
  try {
    await summary.addRaw(summaryOf(summaryFacts(result, plan, egress, around)), true).write();
  } catch (error) {
    warning(`The summary could not be written: ${textOf(error)}`);
  }
}

/** A file of the output directory when it is there, else "". */
export async function outputFile(paths: StepPaths, name: string): Promise<string> {
  const path = join(paths.outputs, name);
  return (await exists(path)) ? path : "";
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
