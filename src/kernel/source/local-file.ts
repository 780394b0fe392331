import { open, readFile, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf, MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { identifyKernel } from "../formats/identify.ts";
import { sha256Of } from "../hash-file.ts";
import { publishKernel } from "../kernel-directory.ts";
import { findModules, openModuleTree } from "../modules/module-tree.ts";
import type { KernelRecord } from "../record.ts";
import { soundRecord } from "../store.ts";

/**
 * Takes a kernel file of the user's into the store, named by its content; a later change of the
 * file is another kernel. `kernel_not_found` when there is no such file or it is no kernel.
 */
export async function installLocalKernel(
  op: Op,
  layout: StateLayout,
  path: string,
): Promise<KernelRecord> {
  const bytes = await op.race(readKernelFile(path));
  const sha256 = sha256Of(bytes);
  const name = `path-${sha256.slice(0, 16)}`;
  const known = await soundRecord(op, layout, name);
  if (known !== null) return known;
  const beside = await whatIsBeside(path);
  return await publishKernel(op, layout, {
    name,
    source: "path",
    origin: path,
    sha256,
    kernel: await identifyKernel(op, bytes, path),
    config: beside.config,
    modules: beside.modulesRoot === null ? null : await openModuleTree(op, beside.modulesRoot),
    build: null,
  });
}

async function readKernelFile(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path, "r");
    const facts = await file.stat();
    if (!facts.isFile()) {
      throw new MicroagentError("kernel_not_found", `Kernel "${path}" is not a regular file`);
    }
    if (facts.size > limits.kernel.fileBytesMax) {
      throw new MicroagentError(
        "kernel_not_found",
        `File "${path}" has ${facts.size} bytes, a kernel has at most ${limits.kernel.fileBytesMax}`,
      );
    }
    return await file.readFile();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined || error instanceof MicroagentError) throw error;
    throw new MicroagentError("kernel_not_found", `Kernel "${path}" cannot be read (${errno})`, {
      cause: error,
      details: { path, errno },
    });
  }
}

interface Beside {
  readonly config: string | null;
  readonly modulesRoot: string | null;
}

/**
 * Distributions put `config-RELEASE` beside `boot/vmlinuz-RELEASE` and the modules below
 * `lib/modules/RELEASE` of the same root; build trees leave `.config`.
 */
async function whatIsBeside(path: string): Promise<Beside> {
  const real = await realpath(path).catch(() => path);
  const directory = dirname(real);
  const release = /^(?:vmlinuz|vmlinux|bzImage|Image)-(.+)$/.exec(basename(real))?.[1];
  const candidates = release === undefined ? ["config", ".config"] : [`config-${release}`];
  const configs = await Promise.all(
    candidates.map((name) => readFile(join(directory, name), "utf8").catch(() => "")),
  );
  return {
    config: configs.find((text) => text.includes("CONFIG_64BIT=")) ?? null,
    modulesRoot: release === undefined ? null : await findModules(dirname(directory), release),
  };
}
