import { hostEnvironment } from "../../src/host/environment.ts";
import type {
  HostFacts,
  Probe,
  ProbeRequest,
  Refusal,
  Snapshots,
  Supervisor,
} from "../../src/supervisor/port.ts";
import { MemoryControl } from "./control.ts";
import type { GuestScript } from "./guest-script.ts";
import { startMemoryMachine } from "./machine.ts";
import { type MemoryPlan, planMemory } from "./plan.ts";
import { createMemorySnapshots } from "./snapshots.ts";

export interface MemoryOptions {
  /** What the guest of each machine does; a function sees the plan and the number of the start, from 1. */
  readonly guest?: GuestScript | ((plan: MemoryPlan, start: number) => GuestScript);
  /** Makes `probe` refuse with these, to see how a caller takes it. */
  readonly refusals?: readonly Refusal[];
}

/** The in-memory backend and the handle that makes its machines fail. */
export interface MemorySupervisor extends Supervisor<MemoryPlan> {
  readonly control: MemoryControl;
  readonly snapshots: Snapshots;
}

/**
 * A complete backend without a virtual machine: its guests live in this process, speak the whole
 * protocol and fail on demand. For tests of whatever drives machines.
 */
export function createMemorySupervisor(options: MemoryOptions = {}): MemorySupervisor {
  const control = new MemoryControl();
  const snapshots = createMemorySnapshots(control);
  return {
    name: "memory",
    control,
    snapshots,
    probe: async (op, request) => {
      op.check();
      return probeMemory(request, options.refusals ?? [], snapshots);
    },
    plan: planMemory,
    start: (op, plan) => {
      const { guest = {} } = options;
      const script = typeof guest === "function" ? guest(plan, control.startedCount + 1) : guest;
      return startMemoryMachine(op, plan, script, control);
    },
  };
}

function probeMemory(
  request: ProbeRequest,
  refusals: readonly Refusal[],
  snapshots: Snapshots,
): Probe {
  if (refusals.length > 0) return { ok: false, refusals };
  if (request.accel === "kvm" || request.accel === "hvf") {
    const reason = `Acceleration "${request.accel}" means nothing to machines in memory`;
    const hint = "Use --accel auto";
    return {
      ok: false,
      refusals: [{ supervisor: "memory", code: "accel_unavailable", reason, hint }],
    };
  }
  return {
    ok: true,
    host: factsFor(request),
    capabilities: { snapshots, pause: true, memoryMibMax: null, cpusMax: 64 },
  };
}

function factsFor(request: ProbeRequest): HostFacts {
  return {
    vmmPath: "memory",
    vmmVersion: "1",
    accel: "none",
    accelReason: "Machines in memory need no acceleration",
    arch: request.kernel?.arch ?? hostEnvironment.arch,
    tscKhz: null,
    cpuCount: 1,
  };
}
