import { MicroagentError } from "../../src/base/errors.ts";
import type { Machine } from "../../src/supervisor/port.ts";
import type { Control } from "./control.ts";
import type { DiskChain } from "./disk-chain.ts";
import type { QemuPlan } from "./plan.ts";

/** What is behind a machine of this backend, for those who save it. */
export interface RunningQemu {
  readonly pid: number;
  readonly plan: QemuPlan;
  readonly control: Control;
  readonly chains: readonly DiskChain[];
}

const running = new WeakMap<Machine, RunningQemu>();

export function remember(machine: Machine, qemu: RunningQemu): Machine {
  running.set(machine, qemu);
  return machine;
}

/** The QEMU of a machine; `invalid_argument` when it is not one of ours. */
export function runningQemu(machine: Machine): RunningQemu {
  const known = running.get(machine);
  if (known !== undefined) return known;
  throw new MicroagentError("invalid_argument", `Machine "${machine.name}" is not run by QEMU`);
}
