import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import { unpack } from "../formats/compression.ts";
import type { ModuleCatalogue } from "./load-order.ts";
import { type ModuleInfo, moduleOfFile, readModuleInfo } from "./modinfo.ts";

/** The modules below an unpacked `lib/modules/<release>`. */
export interface ModuleTree extends ModuleCatalogue {
  /** Uncompressed bytes of a module that `info` knows. */
  bytes(name: string): Promise<Uint8Array>;
}

/**
 * Indexes the modules below `root`. Dependencies are read from the modules themselves: a package that
 * was unpacked and not installed has no `modules.dep`.
 */
export async function openModuleTree(op: Op, root: string): Promise<ModuleTree> {
  const paths = await op.race(indexModules(root));
  const builtIn = await op.race(readBuiltIn(join(root, "modules.builtin")));
  const loaded = new Map<string, Promise<Uint8Array>>();
  const bytes = (name: string): Promise<Uint8Array> => {
    const path = paths.get(name);
    if (path === undefined) {
      throw new MicroagentError("internal", `Module "${name}" is not below "${root}"`);
    }
    const known = loaded.get(name) ?? readModule(op, path);
    loaded.set(name, known);
    return known;
  };
  return {
    bytes,
    isBuiltIn: (name) => builtIn.has(name),
    async info(name): Promise<ModuleInfo | null> {
      return paths.has(name) ? readModuleInfo(await bytes(name)) : null;
    },
  };
}

/**
 * The directory of a release's modules below a file system root, or null. Older releases have `lib`
 * at the top, merged ones only below `usr`.
 */
export async function findModules(root: string, release: string): Promise<string | null> {
  for (const lib of ["lib", "usr/lib"]) {
    const path = join(root, lib, "modules", release);
    const entries = await readdir(path).catch(() => null);
    if (entries?.includes("kernel")) return path;
  }
  return null;
}

async function indexModules(root: string): Promise<Map<string, string>> {
  const paths = new Map<string, string>();
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const name = entry.isFile() ? moduleOfFile(entry.name) : null;
    if (name !== null) paths.set(name, join(entry.parentPath, entry.name));
  }
  return paths;
}

async function readBuiltIn(path: string): Promise<Set<string>> {
  const names = new Set<string>();
  const text = await readFile(path, "utf8").catch(() => "");
  for (const line of text.split("\n")) {
    const name = moduleOfFile(line.slice(line.lastIndexOf("/") + 1));
    if (name !== null) names.add(name);
  }
  return names;
}

async function readModule(op: Op, path: string): Promise<Uint8Array> {
  const { size } = await op.race(stat(path));
  if (size > limits.kernel.moduleBytesMax) {
    throw new MicroagentError(
      "store_corrupt",
      `Module "${path}" has ${size} bytes, more than ${limits.kernel.moduleBytesMax}`,
    );
  }
  return unpack(op, await op.race(readFile(path)), limits.kernel.moduleBytesMax);
}
