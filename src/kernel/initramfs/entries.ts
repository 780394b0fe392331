import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";
import { sha256Of } from "../hash-file.ts";
import type { InstalledKernel, KernelModule } from "../installed-kernel.ts";
import type { CpioEntry } from "./cpio.ts";

/** Mount points the agent needs before it has mounted anything. */
const directories: readonly CpioEntry[] = ["dev", "proc", "sys", "run", "tmp", "newroot"].map(
  (path) => ({ kind: "directory", path, mode: 0o755 }),
);

/** Init's own descriptors are opened on the console before devtmpfs is mounted. */
const devices: readonly CpioEntry[] = [
  { kind: "character-device", path: "dev/console", mode: 0o600, major: 5, minor: 1 },
  { kind: "character-device", path: "dev/null", mode: 0o666, major: 1, minor: 3 },
];

/**
 * What the initramfs holds: `/init`, `/network` (the agent's network process), and for a kernel with modules `/modules/order` (to load before
 * anything else) and `/modules/extra` (later), one file name of `/modules` per line, in load order.
 */
export async function initramfsEntries(
  op: Op,
  kernel: InstalledKernel,
  agent: Uint8Array,
  network: Uint8Array | null,
): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [
    ...directories,
    ...devices,
    { kind: "file", path: "init", mode: 0o755, data: agent },
  ];
  if (network !== null) {
    entries.push({ kind: "file", path: "network", mode: 0o755, data: network });
  }
  if (kernel.modulesDir === null || kernel.modules.length === 0) return entries;
  entries.push({ kind: "directory", path: "modules", mode: 0o755 });
  entries.push(list("modules/order", kernel.modules, "boot"));
  entries.push(list("modules/extra", kernel.modules, "extra"));
  for (const module of kernel.modules) {
    const data = await op.race(readModule(kernel.modulesDir, module));
    entries.push({ kind: "file", path: `modules/${module.file}`, mode: 0o644, data });
  }
  return entries;
}

function list(path: string, modules: readonly KernelModule[], phase: string): CpioEntry {
  const names = modules.filter((module) => module.phase === phase).map(({ file }) => `${file}\n`);
  return { kind: "file", path, mode: 0o644, data: Buffer.from(names.join("")) };
}

async function readModule(directory: string, module: KernelModule): Promise<Uint8Array> {
  const path = join(directory, module.file);
  try {
    const data = await readFile(path);
    if (sha256Of(data) === module.sha256) return data;
  } catch (error) {
    throw fileError(error, `Kernel module "${path}" cannot be read`);
  }
  throw new MicroagentError("store_corrupt", `Kernel module "${path}" is not the one installed`, {
    hint: "Install the kernel again with: microagent kernel install",
  });
}
