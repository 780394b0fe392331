import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, isMicroagentError, MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { fileError } from "../host/file-error.ts";
import type { StateLayout } from "../host/state-layout.ts";
import type { InstalledKernel } from "./installed-kernel.ts";
import { wantedModulesRevision } from "./modules/wanted.ts";
import { type KernelRecord, modulesDirName, promisedFiles, readRecord } from "./record.ts";

/** One directory of the store: its record, or the reason why it has none that can be read. */
export type StoredKernel =
  | { readonly directory: string; readonly name: string; readonly record: KernelRecord }
  | { readonly directory: string; readonly name: string; readonly damage: MicroagentError };

/** Every kernel of the store, newest first. */
export async function storedKernels(op: Op, layout: StateLayout): Promise<StoredKernel[]> {
  const names = await op.race(directoryNames(layout.kernels));
  const stored: StoredKernel[] = [];
  for (const name of names) {
    const directory = join(layout.kernels, name);
    try {
      const record = await op.race(readRecord(directory));
      if (record !== null) stored.push({ directory, name, record });
    } catch (error) {
      op.check();
      if (!isMicroagentError(error)) throw error;
      stored.push({ directory, name, damage: error });
    }
  }
  return stored.sort((a, b) => installedAt(b).localeCompare(installedAt(a)));
}

/**
 * The kernel of a directory as backends want it. Checks that every file has the size its record
 * says, which catches what a full disk or a broken copy leaves; `verify` reads them all.
 */
export async function openStoredKernel(
  op: Op,
  directory: string,
  record: KernelRecord,
): Promise<InstalledKernel> {
  for (const file of promisedFiles(directory, record)) {
    const bytes = await op.race(sizeOf(file.path));
    if (bytes === file.bytes) continue;
    throw new MicroagentError(
      "store_corrupt",
      `Kernel file "${file.path}" has ${bytes ?? "no"} bytes, wanted ${file.bytes}`,
      { hint: repairHint(record, directory), details: { path: file.path } },
    );
  }
  const pathOf = (file: { readonly file: string } | null) =>
    file === null ? null : join(directory, file.file);
  return {
    name: record.name,
    source: record.source,
    image: {
      sha256: record.sha256,
      flavor: record.flavor,
      version: record.version,
      arch: record.arch,
      hz: record.hz,
      files: {
        bzImage: pathOf(record.files.bzImage),
        vmlinux: pathOf(record.files.vmlinux),
        image: pathOf(record.files.image),
      },
    },
    modulesDir: record.modules.length === 0 ? null : join(directory, modulesDirName),
    modules: record.modules.map(({ file, sha256, phase }) => ({ file, sha256, phase })),
    notes: record.notes,
  };
}

/** The record of an installed kernel that this version can boot; null when it must be made (again). */
export async function soundRecord(
  op: Op,
  layout: StateLayout,
  name: string,
): Promise<KernelRecord | null> {
  const directory = join(layout.kernels, name);
  try {
    const record = await op.race(readRecord(directory));
    if (record === null || record.name !== name || !isCurrent(record)) return null;
    await openStoredKernel(op, directory, record);
    return record;
  } catch (error) {
    op.check();
    if (isMicroagentError(error) && error.code === "store_corrupt") return null;
    throw error;
  }
}

/** False for a kernel whose modules were chosen by another list than this version's. */
export function isCurrent(record: KernelRecord): boolean {
  return record.modulesRevision === null || record.modulesRevision === wantedModulesRevision;
}

function repairHint(record: KernelRecord, directory: string): string {
  if (record.source === "apt") return "Fetch it again with: microagent kernel install";
  if (record.source === "built") return "Build it again with: microagent kernel build";
  return `Remove it with: rm -r "${directory}"`;
}

function installedAt(kernel: StoredKernel): string {
  return "record" in kernel ? kernel.record.installedAt : "";
}

async function directoryNames(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileError(error, `Kernel store "${path}" cannot be read`);
  }
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch {
    return null;
  }
}
