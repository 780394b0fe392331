import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MicroagentError } from "../../src/base/errors.ts";
import type { Op } from "../../src/base/op.ts";
import type {
  DiskLayer,
  HostFacts,
  Machine,
  MachineRequest,
  SavedMachine,
  Snapshots,
} from "../../src/supervisor/port.ts";
import { boardFor } from "./board.ts";
import type { Control } from "./control.ts";
import { copyMemory } from "./copy-memory.ts";
import { keepLayers } from "./disk-chain.ts";
import { sendState } from "./migration.ts";
import { cpuModel, type PlanOptions } from "./plan.ts";
import { receiveState } from "./receive-state.ts";
import { type RunningQemu, runningQemu } from "./running.ts";

const mib = 1024 * 1024;
/** Devices and CPUs take less than 100 KiB; what is beyond is not written by a healthy QEMU. */
const deviceBytesMax = 64 * mib;
const memoryFile = "memory";
const stateFile = "state";
/** Changes with the layout of what `save` writes. */
const formatVersion = 1;

/** Saving and starting from what was saved, for machines of QEMU on Linux. */
export function createSnapshots(options: PlanOptions): Snapshots {
  return {
    fingerprint: (request, host) => fingerprint(request, host, options),
    save: (op, machine, dir) => save(op, machine, dir),
  };
}

function fingerprint(request: MachineRequest, host: HostFacts, options: PlanOptions): string {
  const cpu = cpuModel(host, options);
  return JSON.stringify({
    format: formatVersion,
    qemu: host.vmmVersion,
    machine: boardFor(request.kernel, host).machine,
    accel: host.accel,
    cpu,
    // A model that stands for the host's own CPU is another one on another host.
    cpuFlags: cpu === "host" || cpu.startsWith("max") ? hostCpuFlags() : null,
    tscKhz: host.tscKhz,
  });
}

function hostCpuFlags(): string {
  try {
    const lines = readFileSync("/proc/cpuinfo", "utf8").split("\n\n", 1)[0] ?? "";
    const telling = lines.split("\n").filter((line) => /^(flags|Features|model name)/.test(line));
    return createHash("sha256").update(telling.join("\n")).digest("hex").slice(0, 16);
  } catch {
    return "unknown";
  }
}

async function save(op: Op, machine: Machine, dir: string): Promise<SavedMachine> {
  const qemu = runningQemu(machine);
  const { control } = qemu;
  const wasRunning = (await status(op, control)) === "running";
  if (wasRunning) await control.execute(op, "stop");
  try {
    return await saveStopped(op, qemu, dir);
  } finally {
    // Also after a failure and when the op is over: the machine belongs to somebody.
    if (wasRunning) await control.goOn();
  }
}

async function saveStopped(op: Op, qemu: RunningQemu, dir: string): Promise<SavedMachine> {
  const { control, plan } = qemu;
  const disks: Record<string, readonly DiskLayer[]> = {};
  for (const chain of qemu.chains) {
    disks[chain.id] = await keepLayers(chain.id, await chain.freeze(op, control), dir);
  }
  const memoryBytes = plan.memoryMib * mib;
  await receiveState(
    op,
    join(dir, stateFile),
    plan.sharedMemory ? deviceBytesMax : deviceBytesMax + 2 * memoryBytes,
    (uri) => sendState(op, control, uri, plan.sharedMemory ? "file" : "stream"),
  );
  if (!plan.sharedMemory) return { memory: null, state: stateFile, disks };
  await copyMemory(op, qemu.pid, memoryBytes, join(dir, memoryFile));
  return { memory: memoryFile, state: stateFile, disks };
}

async function status(op: Op, control: Control): Promise<string> {
  const reply = await control.execute(op, "query-status");
  const value = (reply as { status?: unknown } | null)?.status;
  if (typeof value === "string") return value;
  throw new MicroagentError("vmm_failed", "QEMU does not say whether the machine runs");
}
