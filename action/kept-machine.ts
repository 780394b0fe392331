import { addPath, exportVariable } from "@actions/core";
import {
  type AttachedWorkspace,
  copyIntoGuest,
  createEngine,
  createWorkspace,
  isMicroagentError,
  type Op,
  type RunPlan,
  startWorkspace,
  stateLayout,
  type Termination,
  withOp,
} from "../src/index.ts";
import { stageCheckout } from "./checkout.ts";
import { installCommand } from "./command-line.ts";
import { guestWorkspace } from "./flags.ts";
import type { GuestOutput } from "./guest-output.ts";
import type { Job } from "./job.ts";
import type { StepPaths } from "./paths.ts";
import { say } from "./say.ts";
import type { StepSettings } from "./settings.ts";
import type { PrintedText, StepResult } from "./step-result.ts";

/** Bytes of each stream that are remembered for the summary. */
const tailBytes = 64 * 1024;

/**
 * Starts a machine that outlives the step, puts the checkout into it and runs the command there. Later steps reach it
 * with `microagent exec`, which is on their PATH; the post step deletes it.
 */
export async function startKeptMachine(
  settings: StepSettings,
  job: Job,
  paths: StepPaths,
  plan: RunPlan,
  output: GuestOutput,
  signal: AbortSignal,
): Promise<StepResult> {
  const layout = stateLayout({ stateDir: paths.state });
  const engine = createEngine(layout);
  // Another process knows what is secret, so nothing is remembered where there are secrets.
  const { files, onDemand, envFiles } = plan.secrets;
  const bytes = files.length + onDemand.length + envFiles.length === 0 ? tailBytes : 0;
  const tails = { stdout: new Tail(bytes), stderr: new Tail(bytes) };
  const show = (stream: "stdout" | "stderr", data: Uint8Array) => {
    tails[stream].add(data);
    output.show(stream, data);
  };
  const startedAt = new Date();
  let termination: Termination;
  try {
    termination = await withOp("keep", { signal }, async (op) => {
      // It waits for commands: the one of this step is run by this step, which tells how it ended.
      await createWorkspace(op, engine, waiting(plan));
      await using workspace = await startWorkspace(op, engine, plan.name, { onOutput: show });
      if (settings.workspace === "copy") {
        const excluded = settings.workspaceExclude;
        const count = await stageCheckout(job.workspace, paths.checkoutIn, excluded);
        say(`${count} files of the checkout go to ${guestWorkspace}`);
        await copyIntoGuest(op, workspace, paths.checkoutIn, guestWorkspace);
      }
      return await runCommand(op, workspace, plan, show);
    });
    addPath(await installCommand(job));
    exportVariable("MICROAGENT_STATE_DIR", paths.state);
    exportVariable("MICROAGENT_WORKSPACE", plan.name);
  } catch (error) {
    if (signal.aborted) termination = { kind: "interrupted", signal: "SIGINT" };
    else if (isMicroagentError(error)) termination = { kind: "failed", error };
    else throw error;
  } finally {
    output.close(true);
  }
  if (plan.outputs.length > 0) say("A kept machine's outputs stay in it: microagent cp has them");
  return resultOf(plan, termination, startedAt, tails);
}

function waiting(plan: RunPlan): RunPlan {
  return {
    ...plan,
    command: { kind: "image" },
    provenance: { ...plan.provenance, command: "default" },
  };
}

async function runCommand(
  op: Op,
  workspace: AttachedWorkspace,
  plan: RunPlan,
  show: (stream: "stdout" | "stderr", data: Uint8Array) => void,
): Promise<Termination> {
  const { command, shell, timeoutSeconds } = plan;
  if (command.kind === "image") return { kind: "exited", exitCode: 0 };
  const argv = command.kind === "shell" ? [shell, "-c", command.text] : command.argv;
  const timeoutMs = timeoutSeconds * 1000;
  const execution = await workspace.exec(op, { argv, timeoutMs });
  try {
    for await (const { stream, data } of execution.output) {
      op.check();
      show(stream, data);
    }
    const { status, exitCode, signal, oomKilled } = await op.race(execution.result);
    if (status === "timed_out") return { kind: "timed_out", timeoutMs };
    if (status === "signaled") {
      return { kind: "signaled", signal: signal ?? "SIGKILL", oomKilled };
    }
    return { kind: "exited", exitCode: exitCode ?? 1 };
  } finally {
    execution.kill();
  }
}

/** The end of what was printed. */
class Tail implements PrintedText {
  readonly #max: number;
  #bytes = Buffer.alloc(0);

  constructor(max: number) {
    this.#max = max;
  }

  add(data: Uint8Array): void {
    if (this.#max > 0) this.#bytes = Buffer.concat([this.#bytes, data]).subarray(-this.#max);
  }

  text(): string {
    return this.#bytes.toString("utf8");
  }
}

function resultOf(
  plan: RunPlan,
  termination: Termination,
  startedAt: Date,
  tails: { readonly stdout: PrintedText; readonly stderr: PrintedText },
): StepResult {
  const exitedAt = new Date();
  const ms = exitedAt.getTime() - startedAt.getTime();
  return {
    workspace: plan.name,
    termination,
    boot: null,
    template: null,
    startedAt,
    exitedAt,
    ...tails,
    outputs: { written: [], artifacts: [], omissions: [], missing: [], incomplete: [] },
    audit: null,
    network: null,
    secrets: null,
    mediation: null,
    outputDir: null,
    keptAt: null,
    timingsMs: { run: ms },
    timeline: [{ step: "run", startMs: 0, ms, failed: false }],
  };
}
