import { addPath, exportVariable, warning } from "@actions/core";
import {
  type DispatchResult,
  exitCodeFor,
  type Progress,
  type RunPlan,
  runPlan,
} from "../src/index.ts";
import { stageCheckout } from "./checkout.ts";
import { installCommand } from "./command-line.ts";
import { conclusionOf, sentenceOf } from "./conclusion.ts";
import { guestWorkspace } from "./flags.ts";
import type { GuestOutput } from "./guest-output.ts";
import type { Job } from "./job.ts";
import { LogPhases } from "./log-phases.ts";
import type { StepPaths } from "./paths.ts";
import { PrintedTail } from "./printed-tail.ts";
import { say } from "./say.ts";
import type { StepSettings } from "./settings.ts";
import { type StepResult, withTails } from "./step-result.ts";

/** Exit code of what may go better next time. */
const worthAnotherTry = 75;

/**
 * Runs the plan with the checkout in it. Its output shows as it was asked for, in a region without commands. With `keep`
 * the machine stays up: later steps reach it with `microagent exec`, which is on their PATH then.
 */
export async function runMachine(
  settings: StepSettings,
  job: Job,
  paths: StepPaths,
  plan: RunPlan,
  output: GuestOutput,
  signal: AbortSignal,
): Promise<StepResult> {
  const copies = settings.workspace === "copy";
  if (copies) {
    const count = await stageCheckout(job.workspace, paths.checkoutIn, settings.workspaceExclude);
    say(`${count} files of the checkout go to ${guestWorkspace}`);
  }
  const warnings: string[] = [];
  const phases = new LogPhases();
  const tails = { stdout: new PrintedTail(), stderr: new PrintedTail() };
  const attempt = async () =>
    await runPlan(plan, {
      stateDir: paths.state,
      keepRunning: settings.keep,
      signal,
      onProgress: (event) => tell(event, phases, warnings),
      onOutput: (_phase, stream, data) => {
        phases.end();
        tails[stream].add(data);
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
      phases.end();
      say(`Nothing was run yet, so there is one more try: ${sentenceOf(result.termination)}`);
      result = await attempt();
    }
    failed = conclusionOf(result.termination) !== "success";
    if (settings.keep) await openToLaterSteps(job, paths, result);
    return withTails(plan, result, tails);
  } finally {
    phases.end();
    output.close(failed);
    for (const text of warnings) warning(text);
  }
}

/** What `shell: microagent exec {0}` needs to find this machine. */
async function openToLaterSteps(job: Job, paths: StepPaths, result: DispatchResult): Promise<void> {
  addPath(await installCommand(job));
  exportVariable("MICROAGENT_STATE_DIR", paths.state);
  exportVariable("MICROAGENT_WORKSPACE", result.workspace);
}

/** A warning is kept until the runner listens again. */
function tell(event: Progress, phases: LogPhases, warnings: string[]): void {
  if (event.kind === "note") say(event.text);
  if (event.kind === "warning") warnings.push(event.text);
  if (event.kind === "step-end" && !event.failed) phases.told(event.path, event.ms);
}
