import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { fileError } from "../host/file-error.ts";
import { makeTempDir, publishDir } from "../host/files.ts";
import { withLock } from "../host/lock.ts";
import type { StateLayout } from "../host/state-layout.ts";
import { ensurePrivateDir } from "../host/state-layout.ts";
import { configValue } from "./formats/embedded-config.ts";
import type { IdentifiedKernel } from "./formats/identify.ts";
import { sha256Of } from "./hash-file.ts";
import { type LoadOrder, loadOrder } from "./modules/load-order.ts";
import type { ModuleTree } from "./modules/module-tree.ts";
import { wantedModules, wantedModulesRevision } from "./modules/wanted.ts";
import {
  type KernelRecord,
  modulesDirName,
  type StoredFile,
  type StoredModule,
  writeRecord,
} from "./record.ts";
import { removeAbandoned } from "./scratch-dir.ts";
import { soundRecord } from "./store.ts";

/** Everything that becomes one directory of the kernel store. */
export interface KernelParts {
  readonly name: string;
  readonly source: KernelRecord["source"];
  readonly origin: string;
  /** Of the file the kernel came from. */
  readonly sha256: string;
  readonly kernel: IdentifiedKernel;
  /** Build configuration, when it is not inside the kernel. */
  readonly config: string | null;
  readonly modules: ModuleTree | null;
  readonly build: KernelRecord["build"];
}

/** What kernels are built with when nothing tells otherwise. */
const hzUnknown = 250;
/** Drivers a workspace cannot do without; a kernel with all of them built in needs no modules. */
const builtInDrivers = [
  "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES",
  "CONFIG_VIRTIO_CONSOLE",
  "CONFIG_VIRTIO_BLK",
  "CONFIG_EXT4_FS",
  "CONFIG_OVERLAY_FS",
  "CONFIG_TUN",
] as const;

/**
 * Writes a kernel, its modules and its record beside the store and renames them into place as one
 * directory. A sound directory of that name stays as it is; any other is replaced.
 */
export async function publishKernel(
  op: Op,
  layout: StateLayout,
  parts: KernelParts,
): Promise<KernelRecord> {
  await ensurePrivateDir(layout.kernels);
  await removeAbandoned(op, layout.kernels);
  await using temp = await makeTempDir(layout.kernels, `.${parts.name}.`);
  try {
    const record = await fill(op, temp.path, parts);
    return await withLock(op, join(layout.locks, `kernel-${parts.name}`), async (locked) => {
      const known = await soundRecord(locked, layout, parts.name);
      if (known !== null) return known;
      const final = join(layout.kernels, parts.name);
      await rm(final, { recursive: true, force: true });
      await publishDir(temp.path, final);
      return record;
    });
  } catch (error) {
    op.check();
    if (errnoOf(error) === undefined) throw error;
    throw fileError(error, `Kernel "${parts.name}" cannot be stored`);
  }
}

async function fill(op: Op, directory: string, parts: KernelParts): Promise<KernelRecord> {
  const { kernel } = parts;
  const config = kernel.config ?? parts.config;
  const flavor = flavorOf(config);
  const store = (file: string, bytes: Uint8Array | string | null) =>
    bytes === null ? null : storeFile(op, directory, file, bytes);
  const files = {
    bzImage: await store("bzImage", kernel.bzImage),
    vmlinux: await store("vmlinux", kernel.vmlinux),
    image: await store("Image", kernel.image),
    config: await store("config", config),
  };
  const order = parts.modules === null ? null : await loadOrder(parts.modules, wantedModules);
  const modules = await storeModules(op, directory, parts.modules, order);
  const record: KernelRecord = {
    schema: 1,
    name: parts.name,
    source: parts.source,
    origin: parts.origin,
    flavor,
    version: kernel.version,
    arch: kernel.arch,
    hz: hzOf(config),
    sha256: parts.sha256,
    installedAt: new Date(op.clock.now()).toISOString(),
    files,
    modules,
    modulesRevision: order === null ? null : wantedModulesRevision,
    build: parts.build,
    notes: notesOf(parts, flavor, config, order),
  };
  await writeRecord(directory, record);
  return record;
}

function flavorOf(config: string | null): KernelRecord["flavor"] {
  if (config === null) return "distribution";
  return builtInDrivers.every((option) => configValue(config, option) === "y")
    ? "own"
    : "distribution";
}

function hzOf(config: string | null): number {
  const value = config === null ? null : configValue(config, "CONFIG_HZ");
  return value !== null && /^[1-9][0-9]{0,3}$/.test(value) ? Number(value) : hzUnknown;
}

function notesOf(
  parts: KernelParts,
  flavor: KernelRecord["flavor"],
  config: string | null,
  order: LoadOrder | null,
): string[] {
  const notes: string[] = [];
  if (config === null) {
    notes.push(
      'The build configuration is unknown (no CONFIG_IKCONFIG, no "config-" file beside the kernel)',
    );
  }
  if (flavor === "distribution" && parts.modules === null) {
    notes.push("No modules came with the kernel: its virtio drivers must be built in");
  }
  if (parts.kernel.vmlinuxReason !== null) {
    notes.push(`Only the compressed boot image can be used: ${parts.kernel.vmlinuxReason}`);
  }
  for (const name of order?.missing ?? []) {
    notes.push(`Driver "${name}" is neither a module of this kernel nor built in`);
  }
  return notes;
}

async function storeModules(
  op: Op,
  directory: string,
  tree: ModuleTree | null,
  order: LoadOrder | null,
): Promise<StoredModule[]> {
  if (tree === null || order === null) return [];
  const target = join(directory, modulesDirName);
  await mkdir(target, { mode: 0o700 });
  const stored: StoredModule[] = [];
  for (const { name, phase } of order.modules) {
    const file = await storeFile(op, target, `${name}.ko`, await tree.bytes(name));
    stored.push({ ...file, phase });
  }
  return stored;
}

async function storeFile(
  op: Op,
  directory: string,
  file: string,
  bytes: Uint8Array | string,
): Promise<StoredFile> {
  const data = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  if (data.length === 0) throw new MicroagentError("internal", `Kernel file "${file}" is empty`);
  await op.race(writeFile(join(directory, file), data, { mode: 0o600, flush: true }));
  return { file, bytes: data.length, sha256: sha256Of(data) };
}
