import { access } from "node:fs/promises";
import { endGroup, info, startGroup, warning } from "@actions/core";
import { collectGarbage, stateLayout, withOp } from "../src/index.ts";
import { readJob } from "./job.ts";
import { closeKvm } from "./kvm-access.ts";
import { recalledStep } from "./step-state.ts";

/** Seconds would be enough; a hanging host must not hold the job. */
const deleteMs = 30_000;

/** Ends what main began and did not end, or was told to keep until now, and undoes what it did to the host. */
export async function cleanUp(): Promise<void> {
  const step = recalledStep();
  if (step.kvmMode !== "") {
    const { selfHosted } = await readJob();
    if (selfHosted) await closeKvm(step.kvmMode);
  }
  if (step.workspace === "" || (step.done && !step.keep)) return;
  startGroup(`Clean up ${step.workspace}`);
  try {
    const layout = stateLayout({ stateDir: step.stateDir });
    await withOp("delete", { timeoutMs: deleteMs }, (op) => collectGarbage(op, layout));
    info(`Workspace "${step.workspace}" is gone`);
    const leftover = await access(step.outputs).then(
      () => step.outputs,
      () => null,
    );
    if (leftover !== null && !step.done)
      warning(`The run did not end in order; what it wrote is in ${leftover}`);
  } finally {
    endGroup();
  }
}
