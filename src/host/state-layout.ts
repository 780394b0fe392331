import { isAbsolute, join, resolve } from "node:path";
import { MicroagentError } from "../base/errors.ts";
import { hostEnvironment } from "./environment.ts";
import { fileError } from "./file-error.ts";
import { makeDirs } from "./make-dirs.ts";
import { checkOwnDirectory } from "./own-directory.ts";

/** Every directory of the product, absolute; none is created by asking for it. */
export interface StateLayout {
  readonly root: string;
  readonly workspaces: string;
  readonly images: string;
  readonly kernels: string;
  readonly locks: string;
  readonly leases: string;
  /** Verdicts and initramfs files: all of it can be made again. */
  readonly cache: string;
  /** One directory per running machine, gone with it. */
  readonly runtime: string;
  /** Machines that were prepared once, by the key of what went in. */
  readonly templates: string;
  /** Machines that a user has saved, by the name he gave. */
  readonly snapshots: string;
}

/**
 * Where state lives: `stateDir` > `MICROAGENT_STATE_DIR` > `~/.microagent`. `MICROAGENT_CACHE_DIR`
 * moves images, kernels and the cache elsewhere, for a CI cache that survives the state. `invalid_argument` for a
 * directory that another user could fill.
 */
export function stateLayout(options: { readonly stateDir?: string | undefined } = {}): StateLayout {
  const named = options.stateDir ?? hostEnvironment.env("MICROAGENT_STATE_DIR");
  const root = named === undefined ? join(hostEnvironment.homeDir, ".microagent") : resolve(named);
  const cacheNamed = hostEnvironment.env("MICROAGENT_CACHE_DIR");
  const cacheRoot = cacheNamed === undefined ? root : resolve(cacheNamed);
  checkOwnDirectory(root);
  if (cacheRoot !== root) checkOwnDirectory(cacheRoot);
  return {
    root,
    workspaces: join(root, "workspaces"),
    images: join(cacheRoot, "images"),
    kernels: join(cacheRoot, "kernels"),
    cache: join(cacheRoot, "cache"),
    locks: join(root, "locks"),
    leases: join(root, "leases"),
    runtime: join(root, "runtime"),
    // Beside `runtime`: what is saved there is given its place by renaming.
    templates: join(root, "templates"),
    snapshots: join(root, "snapshots"),
  };
}

/**
 * Makes a directory and its parents with mode 0700; existing ones keep their mode. `invalid_argument` when another user
 * could fill it, or one of the parents that were missing and that somebody else made meanwhile.
 */
export async function ensurePrivateDir(path: string): Promise<void> {
  if (!isAbsolute(path)) {
    throw new MicroagentError("internal", `Directory "${path}" is not absolute`);
  }
  let missing: readonly string[];
  try {
    missing = await makeDirs(path, 0o700);
  } catch (error) {
    throw fileError(error, `Directory "${path}" cannot be made`);
  }
  for (const each of missing) checkOwnDirectory(each);
  if (missing.length === 0) checkOwnDirectory(path);
}
