import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { fileError } from "../host/file-error.ts";
import { collectLeases, listLeases, readLeases } from "../host/lease.ts";
import { sweepLocks } from "../host/lock.ts";
import type { StateLayout } from "../host/state-layout.ts";
import { openStore } from "../image/store.ts";
import type { WorkspaceState } from "./held/state.ts";

/** One workspace of a state directory. */
export interface WorkspaceListing {
  readonly name: string;
  /**
   * `starting` has no machine yet, `running` has one, `orphaned` lost its owner and waits for
   * collection, `stopped` was kept after its run; the others are those of workspaces that outlive their runs.
   */
  readonly state: WorkspaceState | "orphaned";
  readonly backend: string | null;
  readonly ownerPid: number | null;
  readonly vmmPid: number | null;
  readonly startedAt: Date | null;
  readonly path: string | null;
}

/** Running, orphaned and kept workspaces, by name. */
export async function listWorkspaces(layout: StateLayout): Promise<readonly WorkspaceListing[]> {
  const names = await namesIn(layout.workspaces);
  const kept = await Promise.all(names.map((name) => keptListing(layout, name)));
  const leases = await listLeases(layout);
  const leased = leases
    .filter(({ workspace }) => !names.includes(workspace))
    .map(
      (lease): WorkspaceListing => ({
        name: lease.workspace,
        state: !lease.ownerAlive ? "orphaned" : lease.vmmAlive ? "running" : "starting",
        backend: lease.supervisor === "unknown" ? null : lease.supervisor,
        ownerPid: lease.owner.pid,
        vmmPid: lease.vmm?.pid ?? null,
        startedAt: lease.startedAt,
        path: lease.runtimeDir,
      }),
    );
  return [...leased, ...kept].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function keptListing(layout: StateLayout, name: string): Promise<WorkspaceListing> {
  const path = join(layout.workspaces, name);
  const facts = await stat(path).catch(() => null);
  if (await outlivesItsRuns(path)) {
    const { heldListing } = await import("./held/held-listing.ts");
    const held = await heldListing(layout, name);
    if (held !== null) return held;
  }
  const backend = await readFile(join(path, "result.json"), "utf8")
    .then((text) => (JSON.parse(text) as { backend?: unknown }).backend)
    .catch(() => null);
  return {
    name,
    state: "stopped",
    backend: typeof backend === "string" ? backend : null,
    ownerPid: null,
    vmmPid: null,
    startedAt: facts === null ? null : facts.birthtime,
    path,
  };
}

/** A workspace that was made to be started, and started again; a run leaves another kind behind. */
async function outlivesItsRuns(path: string): Promise<boolean> {
  return (await stat(join(path, "workspace.json")).catch(() => null)) !== null;
}

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

async function namesIn(dir: string): Promise<string[]> {
  return await readdir(dir).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileError(error, `Directory "${dir}" cannot be read`);
  });
}
