import { withOp } from "./base/op.ts";
import { stateLayout } from "./host/state-layout.ts";
import { createEngine } from "./registry.ts";
import type { Flags } from "./spec/flags.ts";
import type { LoadedSpec } from "./spec/load.ts";
import { mergeSpec } from "./spec/merge.ts";
import type { RunPlan, Surface } from "./spec/plan.ts";
import type { LoadedPolicy } from "./spec/policy-file.ts";
import type { DispatchHooks, DispatchResult } from "./workspace/dispatch.ts";
import { networkRequestOf } from "./workspace/network-request.ts";
import { type RunExtras, runPlanOnce } from "./workspace/run-plan.ts";

/**
 * The plan of flags and an optional spec file: every question answered, nothing started. The files that flags name are
 * read and checked; secrets are not asked for.
 */
export async function planRun(
  surface: Surface,
  flags: Flags,
  file: string | undefined,
): Promise<RunPlan> {
  const loaded = file === undefined ? null : await loadedSpec(file);
  const { egressPolicy } = flags;
  const policy = egressPolicy === undefined ? undefined : await loadedPolicy(egressPolicy);
  const plan = mergeSpec({ flags, file: loaded, surface, policy });
  await checkSwap(plan);
  return plan;
}

async function loadedPolicy(path: string): Promise<LoadedPolicy> {
  const { loadPolicy } = await import("./spec/policy-file.ts");
  return await withOp("egress policy", {}, (op) => loadPolicy(op, path));
}

/** A mistake in a file beside the spec is told before anybody waits for a boot. */
async function checkSwap(plan: RunPlan): Promise<void> {
  const swap = networkRequestOf(plan)?.swap;
  if (swap === undefined || (swap.configFile === null && swap.caFiles.length === 0)) return;
  const { readSwap } = await import("./workspace/swap-rules.ts");
  await withOp("credential swap", {}, (op) => readSwap(op, swap));
}

async function loadedSpec(file: string): Promise<LoadedSpec> {
  const { loadSpec } = await import("./spec/load.ts");
  return await withOp("spec", {}, (op) => loadSpec(op, file));
}

export interface RunPlanOptions
  extends Omit<DispatchHooks, "onStays">,
    Pick<RunExtras, "directoriesIn" | "directoriesOut"> {
  /** Default: MICROAGENT_STATE_DIR, else `~/.microagent`. */
  readonly stateDir?: string | undefined;
  /**
   * Leave the machine up when the run is over, held by a process of its own: `attachWorkspace` reaches it,
   * `deleteWorkspace` ends it. A run that is interrupted or fails leaves none.
   */
  readonly keepRunning?: boolean | undefined;
  /** With `keepRunning`: power it off when nobody has used it for so long; 0: never, the default. */
  readonly ttlSeconds?: number | undefined;
}

/**
 * Runs a plan once in a fresh microVM and returns what it came to. Throws a `MicroagentError` only
 * when the plan cannot be started at all; everything later is in the result's `termination`.
 */
export async function runPlan(
  plan: RunPlan,
  options: RunPlanOptions = {},
): Promise<DispatchResult> {
  const engine = createEngine(stateLayout({ stateDir: options.stateDir }));
  if (options.keepRunning !== true) return await runPlanOnce(engine, plan, options, options);
  const { runAndKeep } = await import("./workspace/held/run-and-keep.ts");
  return await runAndKeep(engine, plan, options, options);
}
