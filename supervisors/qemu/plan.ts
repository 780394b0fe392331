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
import { diskNode } from "./disk.ts";
import { majorOf } from "./version.ts";

/** Descriptors that QEMU inherits: socket pairs whose other end is ours, and a saved state to read. */
export const inheritedFds = { agent: 3, control: 4, console: 5, state: 6 } as const;

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
  /** File of the saved state that this machine starts from, null for a boot. */
  readonly statePath: string | null;
  /** Whether guest memory can be taken while the machine runs on. */
  readonly sharedMemory: boolean;
  readonly vmmVersion: string;
  readonly memoryMib: number;
  /** Writable disks by position, for saving. */
  readonly disks: readonly DiskAttachment[];
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
  const cpu = cpuModel(host, options);
  return {
    name: request.name,
    file: host.vmmPath,
    consolePath: request.consolePath,
    disposable: request.disks.every((disk) => disk.readOnly || disk.durability === "disposable"),
    statePath: request.from?.state ?? null,
    sharedMemory: sharesMemory(request),
    vmmVersion: host.vmmVersion,
    memoryMib: request.memoryMib,
    disks: request.disks,
    args: [
      ...["-name", `microagent-${request.name}`],
      ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
      ...[
        "-machine",
        hasOwnMemory(request) ? board.machine : `${board.machine},memory-backend=ram`,
      ],
      ...["-accel", accelerator(host)],
      ...["-cpu", cpu],
      ...["-smp", `${request.cpus}`],
      ...["-m", `${request.memoryMib}M`],
      ...memory(request),
      ...(request.from === undefined
        ? [
            ...["-kernel", kernelFile(request.kernel, host)],
            ...["-initrd", request.initramfsPath],
            ...["-append", kernelCommandLine(request, host, board)],
          ]
        : ["-S", "-incoming", "defer"]),
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
export function cpuModel(host: HostFacts, options: PlanOptions = {}): string {
  if (options.cpuModel !== undefined) return options.cpuModel;
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

function blockDevice(disk: DiskAttachment, index: number, board: Board): string[] {
  return [
    ...["-blockdev", JSON.stringify(diskNode(disk, `disk${index}`))],
    ...[
      "-device",
      `${device("virtio-blk", board, index + 2)},id=dev${index},drive=disk${index},serial=${disk.id}`,
    ],
  ];
}

/** A machine that is neither to be saved nor started from something saved keeps QEMU's own memory. */
function hasOwnMemory(request: MachineRequest): boolean {
  return request.from === undefined && request.saveable !== true;
}

function sharesMemory(request: MachineRequest): boolean {
  if (request.from === undefined) return request.saveable === true;
  return request.from.memory === null;
}

/*
 * Memory that is to be saved is a file without a name, which others can read while the machine stands. A
 * clone maps the saved file and keeps what it writes to itself: the file is shared by all clones, in
 * memory too, and never changes.
 */
function memory(request: MachineRequest): string[] {
  if (hasOwnMemory(request)) return [];
  const size = `size=${request.memoryMib}M`;
  if (sharesMemory(request)) return ["-object", `memory-backend-memfd,id=ram,${size},share=on`];
  const path = request.from?.memory?.replaceAll(",", ",,");
  return ["-object", `memory-backend-file,id=ram,${size},mem-path=${path},share=off`];
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
  const paths = [
    request.consolePath,
    request.initramfsPath,
    ...request.disks.flatMap((d) => [d.path, ...(d.layers ?? []).map((layer) => layer.path)]),
    ...(request.from === undefined ? [] : [request.from.state]),
    ...(request.from === undefined || request.from.memory === null ? [] : [request.from.memory]),
  ];
  for (const path of paths) {
    if (!isAbsolute(path) || path.includes("\0")) throw invalid(`Path "${path}" is not absolute`);
  }
}

function invalid(message: string): MicroagentError {
  return new MicroagentError("invalid_argument", message);
}
