import { warning } from "@actions/core";
import {
  type DispatchResult,
  exitCodeFor,
  type Progress,
  type RunPlan,
  runPlan,
} from "../src/index.ts";
import { stageCheckout } from "./checkout.ts";
import { conclusionOf, sentenceOf } from "./conclusion.ts";
import { guestWorkspace } from "./flags.ts";
import type { GuestOutput } from "./guest-output.ts";
import type { Job } from "./job.ts";
import type { StepPaths } from "./paths.ts";
import { say } from "./say.ts";
import type { StepSettings } from "./settings.ts";

/** Exit code of what may go better next time. */
export const worthAnotherTry = 75;
/** Steps that people would have waited for. */
const worthALineMs = 2_000;

/** Runs the plan with the checkout in it. Its output shows as it was asked for, in a region without commands. */
export async function runMachine(
  settings: StepSettings,
  job: Job,
  paths: StepPaths,
  plan: RunPlan,
  output: GuestOutput,
  signal: AbortSignal,
): Promise<DispatchResult> {
  const copies = settings.workspace === "copy";
  if (copies) {
    const count = await stageCheckout(job.workspace, paths.checkoutIn, settings.workspaceExclude);
    say(`${count} files of the checkout go to ${guestWorkspace}`);
  }
  const warnings: string[] = [];
  const attempt = async () =>
    await runPlan(plan, {
      stateDir: paths.state,
      signal,
      onProgress: (event) => tell(event, warnings),
      onOutput: (_phase, stream, data) => {
        output.show(stream, data);
        return Promise.resolve();
      },
      directoriesIn: copies ? [{ hostPath: paths.checkoutIn, guestPath: guestWorkspace }] : [],
      directoriesOut:
        settings.workspaceBack === "none"
          ? []
          : [{ guestPath: guestWorkspace, hostPath: paths.checkoutOut }],
    });
  let failed = true;
  try {
    let result = await attempt();
    // Once, and only where nothing of the workload can have happened.
    if (result.startedAt === null && exitCodeFor(result.termination) === worthAnotherTry) {
      say(`Nothing was run yet, so there is one more try: ${sentenceOf(result.termination)}`);
      result = await attempt();
    }
    failed = conclusionOf(result.termination) !== "success";
    return result;
  } finally {
    output.close(failed);
    for (const text of warnings) warning(text);
  }
}

/** A warning is kept until the runner listens again. */
function tell(event: Progress, warnings: string[]): void {
  if (event.kind === "note") say(event.text);
  if (event.kind === "warning") warnings.push(event.text);
  if (event.kind === "step-end" && !event.failed && event.ms >= worthALineMs) {
    say(`${event.path.replace(/^dispatch\//, "")} took ${(event.ms / 1000).toFixed(1)} s`);
  }
}
