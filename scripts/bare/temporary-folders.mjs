// @ts-check
// The folders that hold bare roots. They belong to the process in their name, and go with it.
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive, ScriptFailure } from "../steps.mjs";

const prefix = "microagent-bare-";

export async function makeFolder() {
  return await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`));
}

/** What runs that were killed have left behind. */
export async function removeLeftovers() {
  for (const name of await readdir(tmpdir())) {
    const pid = /^(\d+)-/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : "")?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await removeFolder(join(tmpdir(), name));
  }
}

/** @param {string} folder */
export async function removeFolder(folder) {
  // Mounts are made in namespaces only. Were one here all the same, its files would not be ours to remove.
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  const mounted = mounts.split("\n").find((line) => line.split(" ")[4]?.startsWith(`${folder}/`));
  if (mounted !== undefined) {
    throw new ScriptFailure(
      `Folder "${folder}" is not removed, because "${mounted.split(" ")[4]}" is mounted there`,
      `sudo umount --recursive ${folder}/root`,
    );
  }
  await rm(folder, { recursive: true, force: true });
}
