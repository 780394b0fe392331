import type { HostFacts, KernelImage, MachineRequest } from "../../src/supervisor/port.ts";

/** A kernel value for tests that never boot it. */
export function someKernel(change: Partial<KernelImage> = {}): KernelImage {
  return {
    sha256: "0".repeat(64),
    files: { bzImage: "/k/bzImage", vmlinux: "/k/vmlinux", image: null },
    flavor: "own",
    version: "6.1.0",
    arch: "x86_64",
    hz: 100,
    ...change,
  };
}

export function someHost(change: Partial<HostFacts> = {}): HostFacts {
  return {
    vmmPath: "/usr/bin/qemu-system-x86_64",
    vmmVersion: "7.2.22",
    accel: "tcg",
    accelReason: "test",
    arch: "x86_64",
    tscKhz: 2_596_130,
    cpuCount: 2,
    ...change,
  };
}

export function someRequest(change: Partial<MachineRequest> = {}): MachineRequest {
  return {
    name: "m1",
    memoryMib: 256,
    cpus: 1,
    kernel: someKernel(),
    initramfsPath: "/k/initramfs",
    disks: [],
    cmdline: [],
    consolePath: "/w/console.log",
    ...change,
  };
}
