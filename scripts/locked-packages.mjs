// @ts-check
// Packages of the npm registry that tests use beside those of this repository, as a lock file of their own says.
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mustRun } from "./steps.mjs";

/** For every `npm` that installs. */
export const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];

/**
 * Installs once what `source` locks. Gives whether there was something to do.
 *
 * @param {string} source the folder of `package.json` and `package-lock.json` @param {string} target
 * @param {string} hint the command that does it
 */
export async function installLocked(source, target, hint) {
  const stamp = join(target, ".installed");
  const lock = await readFile(join(source, "package-lock.json"), "utf8");
  if ((await readFile(stamp, "utf8").catch(() => null)) === lock) return false;
  await mkdir(target, { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) {
    await cp(join(source, name), join(target, name));
  }
  await mustRun("npm", ["ci", ...quiet], { cwd: target, hint });
  await writeFile(stamp, lock);
  return true;
}
