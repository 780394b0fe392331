import { mkdtemp, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "../base/errors.ts";
import { randomHex } from "../base/ids.ts";
import { fileError } from "./file-error.ts";

/**
 * Replaces a file in one step: readers see the old bytes or the new ones, also after a power cut unless
 * `survivesPowerCut` is false: what only says what a living process does need not wait for the disk. Mode 0600 unless
 * told otherwise. A full disk is `no_space` and leaves the old file as it was.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: {
    readonly mode?: number;
    readonly survivesPowerCut?: boolean;
    /** Part of the temporary name, for whoever finds the file when its writer was killed. */
    readonly tag?: string;
  } = {},
): Promise<void> {
  const tag = options.tag === undefined ? "" : `${options.tag}.`;
  const beside = join(dirname(path), `.${basename(path)}.${tag}${randomHex(6)}.tmp`);
  try {
    const file = await open(beside, "wx", options.mode ?? 0o600);
    try {
      await file.writeFile(data);
      if (options.survivesPowerCut !== false) await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    throw fileError(error, `File "${path}" cannot be written`);
  }
}

/**
 * Gives a finished directory its final name. False when somebody published one first: then `tmp` is
 * removed, because both hold the same thing.
 */
export async function publishDir(tmp: string, final: string): Promise<boolean> {
  try {
    await rename(tmp, final);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOTEMPTY" || errno === "EEXIST") {
      await rm(tmp, { recursive: true, force: true });
      return false;
    }
    throw fileError(error, `Directory "${final}" cannot be published`);
  }
}

/** A directory that goes away with its scope. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
}

/** Makes a directory with a fresh name in `parent`, mode 0700; disposing of it removes its content. */
export async function makeTempDir(parent: string, prefix: string): Promise<TempDir> {
  try {
    const path = await mkdtemp(join(parent, prefix));
    return {
      path,
      async [Symbol.asyncDispose]() {
        await rm(path, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
      },
    };
  } catch (error) {
    throw fileError(error, `A temporary directory in "${parent}" cannot be made`);
  }
}
