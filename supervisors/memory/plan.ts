import { MicroagentError } from "../../src/base/errors.ts";
import { safeNamePattern } from "../../src/base/ids.ts";
import type { HostFacts, MachineRequest } from "../../src/supervisor/port.ts";

/** A machine that exists in this process only: what was asked for, checked. */
export interface MemoryPlan {
  readonly name: string;
  readonly consolePath: string;
  readonly memoryMib: number;
  readonly cpus: number;
  /** What the machine starts from, null for a boot. */
  readonly statePath: string | null;
  /** First lines of the console, as a booting kernel would print them. */
  readonly banner: readonly string[];
}

/** Checks a request as strictly as a real backend does. `invalid_argument` names the bad value. */
export function planMemory(request: MachineRequest, host: HostFacts): MemoryPlan {
  const { name, memoryMib, cpus, consolePath } = request;
  if (!safeNamePattern.test(name)) throw invalid(`Name "${name}" is not safe`);
  if (!Number.isInteger(memoryMib) || memoryMib < 1) {
    throw invalid(`Memory is "${memoryMib}" MiB, wanted a whole number from 1`);
  }
  if (!Number.isInteger(cpus) || cpus < 1) {
    throw invalid(`CPU count is "${cpus}", wanted a whole number from 1`);
  }
  for (const disk of request.disks) {
    if (!/^[a-z0-9-]{1,20}$/.test(disk.id)) {
      throw invalid(`Disk id "${disk.id}" is not 1 to 20 characters of "a-z0-9-"`);
    }
  }
  const words = ["quiet", ...request.cmdline].join(" ");
  return {
    name,
    consolePath,
    memoryMib,
    cpus,
    statePath: request.from?.state ?? null,
    banner: [
      `Linux version ${request.kernel.version} (${host.vmmPath})`,
      `Command line: ${words}`,
      ...request.disks.map((disk) => `Disk ${disk.id}: ${disk.path}`),
    ],
  };
}

function invalid(message: string): MicroagentError {
  return new MicroagentError("invalid_argument", message);
}
