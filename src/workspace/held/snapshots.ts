import type { Op } from "../../base/op.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import type { Engine } from "../engine.ts";
import {
  deleteSnapshot,
  listSnapshots,
  type SnapshotStart,
  startSnapshot,
} from "../templates/snapshots.ts";
import type { Stored } from "../templates/store.ts";
import type { Workspace } from "../workspace.ts";
import { requireRecord } from "./record.ts";
import type { SnapshotName } from "./start.ts";
import { snapshotsDir } from "./start-machine.ts";

/**
 * Starts a machine that ends with this process from a saved one of a workspace, which it leaves alone.
 * `workspace_not_found`, `snapshot_not_found`, `template_broken`.
 */
export async function startSaved(
  op: Op,
  engine: Engine,
  from: SnapshotName,
  start: SnapshotStart,
): Promise<Workspace> {
  await requireRecord(engine.layout, from.workspace);
  return await startSnapshot(op, engine, from.tag, start, snapshotsDir(engine, from.workspace));
}

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
