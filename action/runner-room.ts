import { hostEnvironment, type RunPlan } from "../src/index.ts";

/** What the runner itself, and the job's other steps, need. */
const runnersOwnMib = 2048;
const leastMib = 256;

/**
 * The plan with no more memory and processors than this runner can give, where nobody asked for a number: a profile
 * says how large a machine is meant to be, not how large the runner is. What was asked for stays, and may fail.
 */
export function withinRunner(
  plan: RunPlan,
  host: { readonly memoryMib: number; readonly cpuCount: number } = hostEnvironment,
): RunPlan {
  const isAsked = (field: string) => ["flag", "spec"].includes(String(plan.provenance[field]));
  const { memoryMib, cpus } = plan.resources;
  const room = Math.max(leastMib, host.memoryMib - runnersOwnMib);
  return {
    ...plan,
    resources: {
      ...plan.resources,
      memoryMib: isAsked("resources.memoryMiB") ? memoryMib : Math.min(memoryMib, room),
      cpus: isAsked("resources.cpuCount") ? cpus : Math.min(cpus, host.cpuCount),
    },
  };
}
