import { join } from "node:path";

/** Where the step keeps things; the same on every run of a job, for a cache entry knows only absolute paths. */
export interface StepPaths {
  /** State directory of the engine. */
  readonly state: string;
  /** Everything of one run. */
  readonly run: string;
  /** Collected outputs of one run. */
  readonly outputs: string;
  /** The checkout as it was given to the guest. */
  readonly checkoutIn: string;
  /** The workspace as it came back. */
  readonly checkoutOut: string;
  readonly patch: string;
}

/** All below the runner's own temporary directory: the system's may be memory with a quota. */
export function stepPaths(runnerTemp: string, workspace: string): StepPaths {
  const base = join(runnerTemp, "microagent");
  const run = join(base, "runs", workspace);
  return {
    state: join(base, "state"),
    run,
    outputs: join(run, "outputs"),
    checkoutIn: join(run, "checkout-in"),
    checkoutOut: join(run, "checkout-out"),
    patch: join(run, "workspace.patch"),
  };
}
