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
import { dirname, join, sep } from "node:path";
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
  await stageGit(checkout, target);
  return count;
}

/** Paths relative to the checkout, without `.git`. */
async function wantedFiles(checkout: string): Promise<string[]> {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listing = await git(checkout, args).catch(() => null);
  if (listing !== null) return [...new Set(listing.split("\0").filter((path) => path !== ""))];
  const globber = await createGlobber(join(checkout, "**"), {
    followSymbolicLinks: false,
    implicitDescendants: false,
    matchDirectories: false,
  });
  const found = await globber.glob();
  return found
    .map((path) => path.slice(checkout.length + 1))
    .filter((path) => !path.split(sep).includes(".git"));
}

async function excludedPaths(
  checkout: string,
  patterns: readonly string[],
): Promise<(path: string) => boolean> {
  if (patterns.length === 0) return () => false;
  const globber = await createGlobber(
    patterns.map((pattern) => join(checkout, pattern)).join("\n"),
    { followSymbolicLinks: false },
  );
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
  const globber = await createGlobber(join(from, "**"), {
    followSymbolicLinks: false,
    implicitDescendants: false,
    matchDirectories: false,
  });
  for (const path of await globber.glob()) {
    const inside = path.slice(from.length + 1);
    if (!gitLeftOut.test(inside.split(sep).join("/"))) {
      await copyEntry(path, join(target, ".git", inside));
    }
  }
  const config = await readFile(join(from, "config"), "utf8").catch(() => "");
  // What git insists on, also where nothing was left of them.
  await mkdir(join(target, ".git", "refs"), { recursive: true });
  await mkdir(join(target, ".git", "objects"), { recursive: true });
  await writeFile(join(target, ".git", "config"), cleanGitConfig(config));
}

async function git(cwd: string, args: string[]): Promise<string> {
  const { stdout, exitCode } = await getExecOutput("git", args, {
    cwd,
    silent: true,
    ignoreReturnCode: true,
  });
  if (exitCode !== 0) throw new Error(`git ${args[0]} ended with ${exitCode}`);
  return stdout;
}
