import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { namesIn } from "../host/directory-names.ts";
import { listLeases } from "../host/lease.ts";
import type { StateLayout } from "../host/state-layout.ts";
import { outlivesItsRuns } from "./lasting-workspace.ts";
import type { WorkspaceListing } from "./workspace-listing.ts";

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
