import { join } from "node:path";
import { exportVariable } from "@actions/core";
import type { Job } from "./job.ts";

const variable = "MICROAGENT_CACHE_DIR";

/**
 * Images and kernels of a machine that outlives its jobs stay on it, for this step and later ones: there is nothing for the cache
 * service to carry. False where they go with the job, or where somebody has said already where they are to be.
 */
export function keepsOnMachine(job: Job, env: NodeJS.ProcessEnv = process.env): boolean {
  if (job.toolCache === null) return false;
  const dir = join(job.toolCache, "microagent");
  if (env[variable] === undefined) exportVariable(variable, dir);
  return env[variable] === dir;
}
