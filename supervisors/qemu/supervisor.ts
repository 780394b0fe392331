import { hostEnvironment } from "../../src/host/environment.ts";
import type { Supervisor } from "../../src/supervisor/port.ts";
import { startQemu } from "./machine.ts";
import { type PlanOptions, planQemu, type QemuPlan } from "./plan.ts";
import { probeQemu } from "./probe.ts";

/**
 * The QEMU backend: runs wherever QEMU does, with KVM or HVF where they work and by emulation
 * elsewhere. `MICROAGENT_QEMU` names another program, `MICROAGENT_QEMU_CPU` another CPU model.
 */
export function createQemuSupervisor(options: PlanOptions = {}): Supervisor<QemuPlan> {
  const planOptions: PlanOptions = {
    cpuModel: options.cpuModel ?? hostEnvironment.env("MICROAGENT_QEMU_CPU"),
    sandbox: options.sandbox ?? hostEnvironment.platform === "linux",
  };
  return {
    name: "qemu",
    probe: (op, request) => probeQemu(op, request, planOptions),
    plan: (request, host) => planQemu(request, host, planOptions),
    start: (op, plan) => startQemu(op, plan),
  };
}
