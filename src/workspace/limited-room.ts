import { randomHex } from "../base/ids.ts";
import type { Op } from "../base/op.ts";
import { hostEnvironment } from "../host/environment.ts";
import type { StateLayout } from "../host/state-layout.ts";
import { type Admission, admit } from "./admission.ts";

/**
 * QEMU itself: 64 MiB of translated code, its devices and its page tables. Measured with 512 MiB under emulation: 85 MiB
 * of its own beside the guest's memory, and 46 MiB of mapped files.
 */
const machineOwnMib = 150;
/** The limit is on memory; the processors of machines may be shared. */
const unbounded = Number.POSITIVE_INFINITY;

/** What decides whether machines have to wait for each other. */
interface LimitedHost {
  readonly memoryMib: number;
  readonly memoryLimitedBy: string | null;
}

/**
 * Room for one machine below the memory limit of our control group. Null where there is no limit: a host's own
 * memory may be promised twice, because few guests use all of theirs, but a limit ends in a kill. Waits as long as `op` may.
 */
export async function roomWithinLimit(
  op: Op,
  layout: StateLayout,
  machine: { readonly memoryMib: number; readonly cpus: number },
  host: LimitedHost = hostEnvironment,
): Promise<Admission | null> {
  if (host.memoryLimitedBy === null) return null;
  const budget = { memoryMib: host.memoryMib, cpus: unbounded, machines: unbounded };
  // A machine as large as the limit may run, but alone.
  const memoryMib = Math.min(machine.memoryMib + machineOwnMib, host.memoryMib);
  return await admit(op, layout, budget, { memoryMib, cpus: machine.cpus, group: randomHex(8) });
}
