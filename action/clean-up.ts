import { statfs } from "node:fs/promises";
import { endGroup, startGroup, warning } from "@actions/core";
import { bytesText, collectGarbage, deleteWorkspace, stateLayout, withOp } from "../src/index.ts";
import { uploadOutputs } from "./deliver.ts";
import { exists } from "./exists.ts";
import { readJob } from "./job.ts";
import { closeKvm } from "./kvm-access.ts";
import { say } from "./say.ts";
import { recalledStep, type StepState } from "./step-state.ts";

/** Seconds would be enough; a hanging host must not hold the job. */
const deleteMs = 30_000;

/**
 * Ends what main began and did not end, or was told to keep until now, uploads what it had no time for, and undoes
 * what it did to the host.
 */
export async function cleanUp(): Promise<void> {
  const step = recalledStep();
  try {
    if (step.workspace !== "" && (!step.done || step.keep || step.upload !== "")) {
      await cleanUpRun(step);
    }
  } finally {
    if (step.kvmMode !== "" && (await readJob()).selfHosted) await closeKvm(step.kvmMode);
  }
}

async function cleanUpRun(step: StepState): Promise<void> {
  startGroup(`Clean up ${step.workspace}`);
  try {
    if (!step.done || step.keep) {
      const layout = stateLayout({ stateDir: step.stateDir });
      await withOp("delete", { timeoutMs: deleteMs }, async (op) => {
        if (step.keep) await deleteWorkspace(op, layout, step.workspace, { force: true });
        await collectGarbage(op, layout);
      });
      say(`Workspace "${step.workspace}" is gone`);
    }
    if (step.upload !== "" && (await exists(step.outputs))) {
      const days = step.retentionDays === "" ? null : Number(step.retentionDays);
      const uploaded = await uploadOutputs(step.outputs, step.upload, days);
      if (uploaded !== null) say(`What the run left is in artifact "${uploaded.name}"`);
    } else if (!step.done && (await exists(step.outputs))) {
      warning(`The run did not end in order; what it wrote is in ${step.outputs}`);
    }
    const { bavail, bsize } = await statfs(step.stateDir);
    say(`${bytesText(bavail * bsize)} are free on the runner's disk`);
  } finally {
    endGroup();
  }
}
