import { readFile } from "node:fs/promises";
import type { Op } from "../../src/base/op.ts";
import { hostEnvironment } from "../../src/host/environment.ts";
import type {
  Accel,
  Capabilities,
  HostFacts,
  Probe,
  ProbeRequest,
  Refusal,
} from "../../src/supervisor/port.ts";
import { findQemu, type QemuBinary } from "./binary.ts";
import type { PlanOptions } from "./plan.ts";
import { proveAccel } from "./probe-boot.ts";
import { type DeviceState, hypervisorDevice } from "./probe-device.ts";
import { createSnapshots } from "./snapshots.ts";

function capabilitiesWith(options: PlanOptions): Capabilities {
  return {
    // What a machine's memory is taken from are files without names, which only Linux has.
    snapshots: hostEnvironment.platform === "linux" ? createSnapshots(options) : null,
    pause: true,
    memoryMibMax: null,
    cpusMax: 16,
  };
}

/** Finds QEMU and the acceleration that really works; explains every choice and every refusal. */
export async function probeQemu(
  op: Op,
  request: ProbeRequest,
  options: PlanOptions,
): Promise<Probe> {
  const arch = hostEnvironment.arch;
  const binary = await findQemu(op, arch, request.cacheDir);
  if ("reason" in binary) return { ok: false, refusals: [binary] };
  const accel = await chooseAccel(op, request, binary, options);
  if ("reason" in accel) return { ok: false, refusals: [accel] };
  const host = await hostFacts(binary, accel.accel, accel.accelReason);
  return { ok: true, host, capabilities: capabilitiesWith(options) };
}

interface Choice {
  readonly accel: Accel;
  readonly accelReason: string;
}

async function chooseAccel(
  op: Op,
  request: ProbeRequest,
  binary: QemuBinary,
  options: PlanOptions,
): Promise<Choice | Refusal> {
  if (request.accel === "tcg") {
    return { accel: "tcg", accelReason: "Emulation (TCG) was asked for" };
  }
  const native = hostEnvironment.platform === "darwin" ? "hvf" : "kvm";
  if (request.accel !== "auto" && request.accel !== native) {
    return refuse(`Acceleration "${request.accel}" does not exist on ${hostEnvironment.platform}`, {
      hint: `Use --accel ${native}, tcg or auto`,
    });
  }
  const device = await hypervisorDevice(native);
  const proof = device.usable ? await prove(op, request, binary, native, options) : device;
  if (proof.usable) return { accel: native, accelReason: proof.reason };
  if (request.accel === "auto") {
    return { accel: "tcg", accelReason: `${proof.reason}, so the machine is emulated (TCG)` };
  }
  return refuse(proof.reason, proof);
}

async function prove(
  op: Op,
  request: ProbeRequest,
  binary: QemuBinary,
  native: "kvm" | "hvf",
  options: PlanOptions,
): Promise<DeviceState> {
  const name = native.toUpperCase();
  const { kernel, initramfsPath, cacheDir, fresh } = request;
  if (kernel === null || initramfsPath === null) {
    return {
      usable: false,
      reason: `${name} is present but not proved, because no guest kernel is installed`,
      hint: "Install one with: microagent kernel install",
    };
  }
  const host = await hostFacts(binary, native, "proof boot");
  const verdict = await op.step("proof boot", (step) =>
    proveAccel(step, { kernel, initramfsPath, cacheDir, fresh }, host, binary.fingerprint, options),
  );
  return verdict.ok
    ? { usable: true, reason: `${name} works: ${verdict.text}`, hint: null }
    : {
        usable: false,
        reason: `${name} is present but does not run this kernel (${verdict.text})`,
        hint: "Use --accel auto or --accel tcg on this host",
      };
}

async function hostFacts(
  binary: QemuBinary,
  accel: Accel,
  accelReason: string,
): Promise<HostFacts> {
  return {
    vmmPath: binary.path,
    vmmVersion: binary.version,
    accel,
    accelReason,
    arch: hostEnvironment.arch,
    tscKhz: await readTscKhz(),
    cpuCount: hostEnvironment.cpuCount,
  };
}

function refuse(reason: string, options: { readonly hint: string | null }): Refusal {
  return { supervisor: "qemu", code: "accel_unavailable", reason, hint: options.hint };
}

async function readTscKhz(): Promise<number | null> {
  if (hostEnvironment.platform !== "linux") return null;
  const text = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  return parseTscKhz(text);
}

/**
 * Rate of the time-stamp counter in kHz out of /proc/cpuinfo: Linux computes its bogomips from it. Null
 * where the counter may change its rate, because then a guest must not trust it.
 */
export function parseTscKhz(cpuinfo: string): number | null {
  const bogomips = /^bogomips\s*:\s*([\d.]+)$/m.exec(cpuinfo)?.[1];
  if (bogomips === undefined || !/^flags\s*:.*\bconstant_tsc\b/m.test(cpuinfo)) return null;
  const khz = Math.round(Number(bogomips) * 500);
  return khz > 0 ? khz : null;
}
