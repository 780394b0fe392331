import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "../base/errors.ts";

/**
 * Makes a directory and what is missing above it, level by level; existing ones keep their mode.
 * Returns the levels that were missing, the highest first. Fails with the system's own error. Node's recursive `mkdir` is not used, because Node 20 tries for
 * ever where a directory cannot be made although the one above it is there, as below `/proc`.
 */
export async function makeDirs(path: string, mode = 0o777): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let at = path; !(await isDirectory(at)); at = dirname(at)) missing.push(at);
  missing.reverse();
  for (const dir of missing) {
    try {
      await mkdir(dir, mode);
    } catch (error) {
      // Somebody else may have made it meanwhile; a link to nowhere is no directory.
      if (errnoOf(error) !== "EEXIST" || !(await isDirectory(dir))) throw error;
    }
  }
  return missing;
}

/** The directory itself, or the nearest one above it that exists. */
export async function existingDirOf(path: string): Promise<string> {
  let at = path;
  while (!(await isDirectory(at))) at = dirname(at);
  return at;
}

/** False when there is nothing; throws the system's `ENOTDIR` when there is something else. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    // The dot makes the system itself insist on a directory.
    await stat(`${path}/.`);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" && dirname(path) !== path) return false;
    throw error;
  }
}
