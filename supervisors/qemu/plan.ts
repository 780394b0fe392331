import { isAbsolute } from "node:path";
import { MicroagentError } from "../../src/base/errors.ts";
import { safeNamePattern } from "../../src/base/ids.ts";
import type {
  DiskAttachment,
  HostFacts,
  KernelImage,
  MachineRequest,
} from "../../src/supervisor/port.ts";
import { type Board, boardFor } from "./board.ts";
import { kernelCommandLine } from "./command-line.ts";
import { majorOf } from "./version.ts";

/** Descriptors that QEMU inherits; each is a socket pair whose other end is ours. */
export const inheritedFds = { agent: 3, control: 4, console: 5 } as const;

/** Name of the virtio-serial port on which the guest agent listens. */
export const agentPortName = "microagent.agent.0";

/** Guest code QEMU keeps translated; below 16 MiB it throws away what it needs again. */
const translationCacheMib = 64;
const diskIdPattern = /^[a-z0-9-]{1,20}$/;
const memoryMibMin = 48;

/** Everything needed to start one QEMU; contains no secret and no path that anybody has to poll. */
export interface QemuPlan {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly consolePath: string;
  /** True when nothing on any disk has to survive the machine, so it may be killed outright. */
  readonly disposable: boolean;
}

export interface PlanOptions {
  /** Replaces the CPU model that is chosen otherwise, in QEMU's words. */
  readonly cpuModel?: string | undefined;
  /** Whether QEMU restricts its own system calls, which only Linux offers. True by default. */
  readonly sandbox?: boolean | undefined;
}

/** The QEMU command line for a machine on this host. `invalid_argument` names the bad value. */
export function planQemu(
  request: MachineRequest,
  host: HostFacts,
  options: PlanOptions = {},
): QemuPlan {
  const board = boardFor(request.kernel, host);
  checkRequest(request, board, host);
  const cpu = options.cpuModel ?? cpuModel(host);
  return {
    name: request.name,
    file: host.vmmPath,
    consolePath: request.consolePath,
    disposable: request.disks.every((disk) => disk.readOnly || disk.durability === "disposable"),
    args: [
      ...["-name", `microagent-${request.name}`],
      ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
      ...["-machine", board.machine],
      ...["-accel", accelerator(host)],
      ...["-cpu", cpu],
      ...["-smp", `${request.cpus}`],
      ...["-m", `${request.memoryMib}M`],
      ...["-kernel", kernelFile(request.kernel, host)],
      ...["-initrd", request.initramfsPath],
      ...["-append", kernelCommandLine(request, host, board)],
      ...serial(),
      ...agentPort(board),
      ...control(),
      ...["-object", "rng-random,id=rng0,filename=/dev/urandom"],
      ...["-device", `${device("virtio-rng", board, 1)},rng=rng0`],
      ...request.disks.flatMap((disk, index) => blockDevice(disk, index, board)),
      ...(options.sandbox === false ? [] : sandbox),
    ],
  };
}

function accelerator(host: HostFacts): string {
  return host.accel === "tcg" ? `tcg,tb-size=${translationCacheMib}` : host.accel;
}

/*
 * Under emulation a small model is the fast one: "max" makes the guest's C library choose vector code
 * that TCG executes slowly (about 20 % on hashing and on fork). RDRAND is added because a kernel
 * without it and without early entropy blocks its first reader for seconds. The price: Westmere is x86-64-v2,
 * so programs built for v3 stop with their own message; the README says how to choose another. Version 1
 * of the model: later ones name mitigations that the emulator does not have and warns about.
 */
function cpuModel(host: HostFacts): string {
  if (host.accel !== "tcg") return "host";
  return host.arch === "x86_64" ? "Westmere-v1,+rdrand" : "max";
}

/*
 * A stock vmlinux entered through PVH saves its decompression, but panics in most boots on the
 * emulator of QEMU 10; its bzImage never did. Our own kernel is entered through PVH on every version.
 */
function kernelFile(kernel: KernelImage, host: HostFacts): string {
  const { vmlinux, bzImage, image } = kernel.files;
  const robust = kernel.flavor === "own" || majorOf(host.vmmVersion) < 10;
  const order =
    kernel.arch === "aarch64" ? [image] : robust ? [vmlinux, bzImage] : [bzImage, vmlinux];
  const file = order.find((each) => each !== null && each !== undefined);
  if (file === undefined || file === null) {
    throw invalid(`Kernel "${kernel.version}" has no form that QEMU can boot on ${kernel.arch}`);
  }
  return file;
}

/** The console leaves through a descriptor: we, not the guest, decide how much reaches the disk. */
function serial(): string[] {
  return [
    ...["-chardev", `socket,id=console,fd=${inheritedFds.console}`],
    ...["-serial", "chardev:console"],
  ];
}

function agentPort(board: Board): string[] {
  return [
    ...["-device", `${device("virtio-serial", board, 0)},max_ports=2`],
    ...["-chardev", `socket,id=agent,fd=${inheritedFds.agent}`],
    ...["-device", `virtserialport,chardev=agent,name=${agentPortName}`],
  ];
}

/** A virtio device in the `position`th usable slot of the board. */
function device(kind: string, board: Board, position: number): string {
  const slot = board.slots?.[position];
  const bus = slot === undefined ? "" : `,bus=virtio-mmio-bus.${slot}`;
  return `${kind}-${board.bus}${bus}`;
}

function control(): string[] {
  return [
    ...["-chardev", `socket,id=control,fd=${inheritedFds.control}`],
    ...["-mon", "chardev=control,mode=control"],
  ];
}

/*
 * JSON, because a path may hold commas. Read-only images are shared by many machines at once, which
 * QEMU's own file locks would forbid when one of the sharers died badly; writable ones belong to
 * one workspace, whose lock is ours.
 */
function blockDevice(disk: DiskAttachment, index: number, board: Board): string[] {
  const node = {
    driver: "raw",
    "node-name": `disk${index}`,
    "read-only": disk.readOnly,
    discard: disk.readOnly ? "ignore" : "unmap",
    cache: { direct: false, "no-flush": !disk.readOnly && disk.durability === "disposable" },
    file: {
      driver: "file",
      filename: disk.path,
      aio: "threads",
      locking: disk.readOnly ? "off" : "auto",
      discard: disk.readOnly ? "ignore" : "unmap",
      cache: { direct: false, "no-flush": !disk.readOnly && disk.durability === "disposable" },
    },
  };
  return [
    ...["-blockdev", JSON.stringify(node)],
    ...[
      "-device",
      `${device("virtio-blk", board, index + 2)},drive=disk${index},serial=${disk.id}`,
    ],
  ];
}

/** A broken-out guest meets a QEMU that can neither start programs nor gain privileges. */
const sandbox = [
  "-sandbox",
  "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
];

function checkRequest(request: MachineRequest, board: Board, host: HostFacts): void {
  if (!safeNamePattern.test(request.name)) throw invalid(`Name "${request.name}" is not safe`);
  if (request.kernel.arch !== host.arch) {
    throw invalid(`Kernel is for "${request.kernel.arch}", this host is "${host.arch}"`);
  }
  if (!Number.isInteger(request.memoryMib) || request.memoryMib < memoryMibMin) {
    throw invalid(
      `Memory is "${request.memoryMib}" MiB, wanted a whole number from ${memoryMibMin}`,
    );
  }
  if (!Number.isInteger(request.cpus) || request.cpus < 1 || request.cpus > board.cpusMax) {
    throw invalid(`CPU count is "${request.cpus}", wanted 1 to ${board.cpusMax}`);
  }
  if (request.disks.length > board.disksMax) {
    throw invalid(`There are ${request.disks.length} disks, wanted at most ${board.disksMax}`);
  }
  const ids = request.disks.map((disk) => disk.id);
  for (const id of ids) {
    if (!diskIdPattern.test(id)) {
      throw invalid(`Disk id "${id}" is not 1 to 20 characters of "a-z0-9-"`);
    }
    if (ids.indexOf(id) !== ids.lastIndexOf(id)) throw invalid(`Disk id "${id}" is used twice`);
  }
  const paths = [request.consolePath, request.initramfsPath, ...request.disks.map((d) => d.path)];
  for (const path of paths) {
    if (!isAbsolute(path) || path.includes("\0")) throw invalid(`Path "${path}" is not absolute`);
  }
}

function invalid(message: string): MicroagentError {
  return new MicroagentError("invalid_argument", message);
}
