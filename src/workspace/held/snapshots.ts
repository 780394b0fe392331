import type { StateLayout } from "../../host/state-layout.ts";
import { deleteSnapshot, listSnapshots } from "../templates/snapshots.ts";
import type { Stored } from "../templates/store.ts";
import { requireRecord } from "./record.ts";
import { snapshotsDir } from "./start-machine.ts";

/** The saved machines of a workspace, the last used first. `workspace_not_found`. */
export async function listWorkspaceSnapshots(
  layout: StateLayout,
  name: string,
): Promise<readonly Stored[]> {
  await requireRecord(layout, name);
  return await listSnapshots({ layout }, snapshotsDir({ layout }, name));
}

/** Removes one; machines that were started from it go on. `workspace_not_found`, `snapshot_not_found`. */
export async function deleteWorkspaceSnapshot(
  layout: StateLayout,
  name: string,
  tag: string,
): Promise<void> {
  await requireRecord(layout, name);
  await deleteSnapshot({ layout }, tag, snapshotsDir({ layout }, name));
}
