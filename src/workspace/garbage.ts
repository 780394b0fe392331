import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Op } from "../base/op.ts";
import { namesIn } from "../host/directory-names.ts";
import { collectLeases, readLeases } from "../host/lease.ts";
import { sweepLocks } from "../host/lock.ts";
import type { StateLayout } from "../host/state-layout.ts";
import { openStore } from "../image/store.ts";
import { outlivesItsRuns } from "./lasting-workspace.ts";
import { removePassed } from "./templates/passing.ts";

/** What a collection did. */
export interface GarbageReport {
  readonly collected: readonly {
    readonly workspace: string;
    readonly killedPid: number | null;
    readonly removedDir: string | null;
  }[];
  /** Kept workspaces that were removed because the caller asked for it. */
  readonly removedKept: readonly string[];
  /** Leases that cannot be read: what they protect stays until their owners have been silent for a while. */
  readonly unreadable: readonly string[];
}

/**
 * Ends and removes what dead runs left behind: machines, runtime directories, locks. Kept
 * workspaces go only when `kept` is set. May run at any time, in any number of processes.
 */
export async function collectGarbage(
  op: Op,
  layout: StateLayout,
  options: { readonly kept?: boolean } = {},
): Promise<GarbageReport> {
  const collected = [...(await collectLeases(op, layout))];
  // Directories first, leases second: a lease is written before its directory is made.
  const runtimeNames = await namesIn(layout.runtime);
  const { records, unreadable } = await readLeases(layout);
  const leased = new Set(records.map((lease) => lease.runtimeDir));
  for (const name of runtimeNames) {
    // No lease names it: its owner died between releasing the one and removing the other.
    const dir = join(layout.runtime, name);
    if (leased.has(dir)) continue;
    // A damaged lease no longer says which directory it is for, but its name says whose.
    if (unreadable.some((lease) => name.startsWith(`${lease.workspace}.`))) continue;
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
    collected.push({ workspace: name, killedPid: null, removedDir: dir });
  }
  for (const name of await removePassed(layout)) {
    const dir = join(layout.snapshots, name);
    collected.push({ workspace: name, killedPid: null, removedDir: dir });
  }
  await sweepLocks(op, openStore(layout).locksDir);
  const removedKept: string[] = [];
  if (options.kept === true) {
    for (const name of await namesIn(layout.workspaces)) {
      if (await outlivesItsRuns(join(layout.workspaces, name))) continue;
      await rm(join(layout.workspaces, name), { recursive: true, force: true, maxRetries: 3 });
      removedKept.push(name);
    }
  }
  return { collected, removedKept, unreadable: unreadable.map((lease) => lease.path) };
}
