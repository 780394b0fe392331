import { type Diagnosis, hostArchitecture, packageVersion, type RunPlan } from "../src/index.ts";
import {
  type CacheEntry,
  imageEntry,
  kernelEntry,
  processorOf,
  templateEntry,
} from "./engine-cache.ts";
import type { StepSettings } from "./settings.ts";

export function entryOfKernel(stateDir: string): CacheEntry {
  return kernelEntry(stateDir, hostArchitecture(), packageVersion);
}

/** The image of a run, and the machine it would start from; no machine where none is asked for, or can be saved. */
export async function entriesOfHost(
  stateDir: string,
  settings: StepSettings,
  plan: RunPlan,
  host: Diagnosis,
): Promise<{ image: CacheEntry; template: CacheEntry | null }> {
  const arch = hostArchitecture();
  const image = imageEntry(stateDir, arch, plan.image);
  if (!settings.templateCache || host.supervisor === null) return { image, template: null };
  const { vmmVersion, accel } = host.supervisor.host;
  const { setup, shell, resources, env, network, egress, kernel } = plan;
  const template = templateEntry(stateDir, arch, {
    version: packageVersion,
    vmm: `${host.supervisor.supervisor.name} ${vmmVersion} ${accel}`,
    cpu: await processorOf(),
    machine: [plan.image, kernel, setup, shell, resources, env, network.mode, egress],
  });
  return { image, template };
}
