import { constants } from "node:fs";
import {
  copyFile,
  lstat,
  mkdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { getExecOutput } from "@actions/exec";
import { create as createGlobber } from "@actions/glob";
import { cleanGitConfig } from "./git-config.ts";

/** Parts of `.git` that can hold credentials or would run on somebody's machine. */
const gitLeftOut =
  /^(hooks|config|config\.worktree|credentials|FETCH_HEAD|modules|worktrees)(\/|$)/;

/**
 * Copies the checkout for the guest: files that git knows or would add, links as links, and `.git` without
 * credentials, hooks and submodules. Returns how many files that were.
 */
export async function stageCheckout(
  checkout: string,
  target: string,
  exclude: readonly string[],
): Promise<number> {
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  const excluded = await excludedPaths(checkout, exclude);
  const wanted = await wantedFiles(checkout);
  let count = 0;
  for (const path of wanted) {
    if (excluded(path)) continue;
    if (await copyEntry(join(checkout, path), join(target, path))) count += 1;
  }
  if (!excluded(".git")) await stageGit(checkout, target);
  return count;
}

/** Submodules in submodules in submodules; more is a loop. */
const submoduleDepthMax = 8;

/** Paths relative to the checkout, without `.git`; with those of its submodules. */
async function wantedFiles(checkout: string, depth = 0): Promise<string[]> {
  if ((await lstat(join(checkout, ".git")).catch(() => null)) === null) {
    return depth === 0 ? await everyFile(checkout) : [];
  }
  const words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listing = await git(checkout, words);
  const wanted: string[] = [];
  for (const path of new Set(listing.split("\0").filter((each) => each !== ""))) {
    const below = join(checkout, path);
    const stats = await lstat(below).catch(() => null);
    if (stats?.isDirectory() !== true) wanted.push(path);
    else if (depth < submoduleDepthMax) {
      const inside = await wantedFiles(below, depth + 1);
      wanted.push(...inside.map((each) => join(path, each)));
    }
  }
  return wanted;
}

async function everyFile(dir: string): Promise<string[]> {
  const globber = await createGlobber(join(dir, "**"), {
    followSymbolicLinks: false,
    implicitDescendants: false,
    matchDirectories: false,
  });
  const found = await globber.glob();
  return found.map((path) => path.slice(dir.length + 1));
}

async function excludedPaths(
  checkout: string,
  patterns: readonly string[],
): Promise<(path: string) => boolean> {
  if (patterns.length === 0) return () => false;
  const anchored = patterns.map((pattern) =>
    pattern.startsWith("!") ? `!${join(checkout, pattern.slice(1))}` : join(checkout, pattern),
  );
  const globber = await createGlobber(anchored.join("\n"), { followSymbolicLinks: false });
  const found = new Set((await globber.glob()).map((path) => path.slice(checkout.length + 1)));
  return (path) => found.has(path);
}

/** False for what is neither file nor link, or gone. */
async function copyEntry(from: string, to: string): Promise<boolean> {
  const stats = await lstat(from).catch(() => null);
  if (stats === null || !(stats.isFile() || stats.isSymbolicLink())) return false;
  await mkdir(dirname(to), { recursive: true });
  if (stats.isSymbolicLink()) await symlink(await readlink(from), to);
  else await copyFile(from, to, constants.COPYFILE_FICLONE);
  return true;
}

async function stageGit(checkout: string, target: string): Promise<void> {
  const from = join(checkout, ".git");
  if (!(await lstat(from).catch(() => null))?.isDirectory()) return;
  for (const inside of await everyFile(from)) {
    if (gitLeftOut.test(inside)) continue;
    await copyEntry(join(from, inside), join(target, ".git", inside));
  }
  const config = await readFile(join(from, "config"), "utf8").catch(() => "");
  // What git insists on, also where nothing was left of them.
  await mkdir(join(target, ".git", "refs"), { recursive: true });
  await mkdir(join(target, ".git", "objects"), { recursive: true });
  await writeFile(join(target, ".git", "config"), cleanGitConfig(config));
}

/**
 * Asks git about a checkout that may be somebody else's in the eyes of the system, as in a job in a container.
 * Without git's answer nothing is copied: ignored files are often those that nobody is to see.
 */
async function git(cwd: string, args: string[]): Promise<string> {
  const trust = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false"];
  const { stdout, stderr, exitCode } = await getExecOutput("git", [...trust, ...args], {
    cwd,
    silent: true,
    ignoreReturnCode: true,
  });
  if (exitCode !== 0) {
    const said = stderr.trim().slice(0, 300);
    throw new Error(`Git cannot list the files of the checkout "${cwd}": ${said}`);
  }
  return stdout;
}
