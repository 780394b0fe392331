import type { HostFacts, KernelImage } from "../../src/supervisor/port.ts";

/** A QEMU machine type and what follows from it. */
export interface Board {
  readonly machine: string;
  /** Suffix of the virtio device names: memory-mapped or PCI. */
  readonly bus: "device" | "pci";
  readonly consoleDevice: string;
  /** The slot a device is put into, by its number; null where QEMU's own choice is good. */
  readonly slots: readonly number[] | null;
  readonly cpusMax: number;
  readonly disksMax: number;
}

/** Guest memory stays out of core dumps and is not merged with that of strangers. */
const privacy = "dump-guest-core=off,mem-merge=off";

/*
 * Our own kernel needs neither ACPI nor PCI and reaches user space in a quarter of the time on the
 * bare board. Its clock chip stays: without it a kernel waits two seconds for one that never answers. Of
 * the eight virtio slots the fourth shares the clock chip's interrupt, so it stays empty; two of the
 * others are taken by the agent port and the entropy source.
 */
const microvm: Board = {
  machine: `microvm,acpi=off,rtc=on,isa-serial=on,${privacy}`,
  bus: "device",
  consoleDevice: "ttyS0",
  slots: [7, 6, 5, 4, 2, 1, 0],
  cpusMax: 16,
  disksMax: 5,
};

/*
 * A distribution kernel wants ACPI. On an ACPI microvm it can hang for ever while it calibrates its
 * clock; the full board costs next to nothing more and has the timers that prevent this.
 */
const q35: Board = {
  machine: `q35,vmport=off,${privacy}`,
  bus: "pci",
  consoleDevice: "ttyS0",
  slots: null,
  cpusMax: 64,
  disksMax: 24,
};

const virt: Board = {
  machine: `virt,gic-version=max,${privacy}`,
  bus: "device",
  consoleDevice: "ttyAMA0",
  slots: null,
  cpusMax: 8,
  disksMax: 24,
};

/** The board on which this kernel boots robustly. */
export function boardFor(kernel: KernelImage, host: HostFacts): Board {
  if (host.arch === "aarch64") return virt;
  return kernel.flavor === "own" ? microvm : q35;
}
