import { constants } from "node:fs";
import { copyFile, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { getExecOutput } from "@actions/exec";

/** Nothing of these comes back, at any depth: git and the runner act on them. */
const neverBack = new Set([".git", ".github"]);

/**
 * Writes the difference between what the guest was given and what came back, for `git apply`; false when there is
 * none. Links, which are never brought out, count as unchanged.
 */
export async function workspacePatch(given: string, back: string, file: string): Promise<boolean> {
  const pair = `${file}.pair`;
  try {
    // Named as git names the two sides, so that the paths of the diff need no more changing.
    await plainCopy(given, join(pair, "a"));
    await plainCopy(back, join(pair, "b"));
    // Not through our own strings: what git takes for text need not be UTF-8.
    const words = [...diffWords, `--output=${file}`, "a", "b"];
    const { exitCode, stderr } = await getExecOutput("git", words, {
      cwd: pair,
      silent: true,
      ignoreReturnCode: true,
      env: gitEnvironment(pair),
    });
    if (exitCode > 1) throw new Error(`git diff ended with ${exitCode}: ${stderr.slice(0, 500)}`);
    return exitCode === 1;
  } finally {
    await rm(pair, { recursive: true, force: true });
  }
}

const diffWords = [
  ...["-c", "core.safecrlf=false", "-c", "core.autocrlf=false", "diff", "--no-index", "--binary"],
  ...["--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-prefix"],
];

/** No configuration of anybody has a say in a diff of foreign files. */
function gitEnvironment(top: string): Record<string, string> {
  return {
    PATH: process.env.PATH ?? "/usr/bin:/bin",
    HOME: "/nonexistent",
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CEILING_DIRECTORIES: top,
  };
}

/** Writes what came back into the checkout; files that the guest removed are removed. Returns how many files were written or removed. */
export async function workspaceCopyBack(
  given: string,
  back: string,
  checkout: string,
): Promise<number> {
  const came = await plainFiles(back);
  let count = 0;
  for (const path of came) {
    const target = join(checkout, path);
    await clearWay(checkout, path);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(join(back, path), target);
    count += 1;
  }
  const stayed = new Set(came);
  for (const path of await plainFiles(given)) {
    if (stayed.has(path) || !(await isPlainBelow(checkout, path))) continue;
    await rm(join(checkout, path), { force: true });
    count += 1;
  }
  return count;
}

/** No link of the checkout leads a file out of it: links on the way are removed, not followed. */
async function clearWay(checkout: string, path: string): Promise<void> {
  const parts = path.split("/");
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const at = join(checkout, ...parts.slice(0, depth));
    const stats = await lstat(at).catch(() => null);
    if (stats === null) return;
    const last = depth === parts.length;
    if (stats.isSymbolicLink() || (last ? !stats.isFile() : !stats.isDirectory())) {
      await rm(at, { recursive: true, force: true });
      return;
    }
  }
}

/** A file reached through directories only: what came back may have taken the place of one of them. */
async function isPlainBelow(checkout: string, path: string): Promise<boolean> {
  const parts = path.split("/");
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const stats = await lstat(join(checkout, ...parts.slice(0, depth))).catch(() => null);
    const fits = depth === parts.length ? stats?.isFile() : stats?.isDirectory();
    if (fits !== true) return false;
  }
  return true;
}

async function plainCopy(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { recursive: true });
  for (const path of await plainFiles(from)) {
    await mkdir(dirname(join(to, path)), { recursive: true });
    await copyFile(join(from, path), join(to, path), constants.COPYFILE_FICLONE);
  }
}

/** Regular files below a directory, in order, without what never comes back. */
async function plainFiles(dir: string, below = ""): Promise<string[]> {
  const found: string[] = [];
  const entries = await readdir(join(dir, below), { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (neverBack.has(entry.name.toLowerCase())) continue;
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await plainFiles(dir, path)));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}
