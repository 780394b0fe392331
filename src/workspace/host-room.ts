import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { hostEnvironment } from "../host/environment.ts";
import type { RunPlan } from "../spec/plan.ts";
import { specError } from "../spec/problem.ts";

/** What a host has to give to one machine. */
interface HostRoom {
  readonly cpuCount: number;
  readonly memoryMib: number;
  /** Which control group leaves less than the hardware has, null where none does. */
  readonly memoryLimitedBy: string | null;
}

/**
 * Refuses a machine that this host can never hold, before anything is fetched for it. `invalid_argument`
 * for a flag, a profile and a default, `spec_invalid` with its place for a field.
 */
export function checkHostRoom(plan: RunPlan, host: HostRoom = hostEnvironment): void {
  const { memoryMib, cpus } = plan.resources;
  const { cpusMax, cpusPerHostCpu } = limits.machine;
  const cpusHere = Math.min(cpusMax, Math.max(cpusPerHostCpu, cpusPerHostCpu * host.cpuCount));
  if (cpus > cpusHere) {
    const why = `${cpus} virtual CPUs are too many on a host with ${host.cpuCount}: wanted at most ${cpusHere}`;
    throw refusal(plan, "resources.cpuCount", "--cpus", why);
  }
  if (memoryMib > host.memoryMib) {
    const there =
      host.memoryLimitedBy === null ? "this host has" : `the limit of ${host.memoryLimitedBy}`;
    const why = `${memoryMib} MiB of memory are more than ${there}: wanted at most ${host.memoryMib}`;
    throw refusal(plan, "resources.memoryMiB", "--memory", why);
  }
}

function refusal(plan: RunPlan, field: string, flag: string, why: string): MicroagentError {
  const origin = plan.provenance[field];
  const given = plan.given.find((each) => each.field === field && each.place.kind === origin);
  if (given?.place.kind === "spec" && plan.source !== null) {
    return specError([plan.source.problem(given.place.path, "value", { sentence: why })]);
  }
  const who =
    origin === "flag"
      ? `Flag ${flag}`
      : origin === "profile"
        ? `Profile "${plan.profile}"`
        : "Default";
  return new MicroagentError("invalid_argument", `${who}: ${why}`, {
    hint: `Choose less with ${flag}, or use a larger host`,
    details: { field },
  });
}
