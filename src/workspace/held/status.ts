import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, MicroagentError } from "../../base/errors.ts";
import { fileError } from "../../host/file-error.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { listSaved } from "../templates/store.ts";
import { homeOf, machinePath, requireRecord, type WorkspaceRecord } from "./record.ts";
import { snapshotsDir } from "./start-machine.ts";
import { type CurrentState, currentState } from "./state.ts";
import { resultFile, type WorkloadResult } from "./workload.ts";

/** Everything that is known of a workspace without asking its guest. */
export interface WorkspaceStatus {
  readonly record: WorkspaceRecord;
  readonly current: CurrentState;
  /** The workspace's own directory. */
  readonly path: string;
  readonly consolePath: string;
  readonly snapshots: readonly string[];
  /** How the workload of the last start ended; null when there was none, or it has not ended. */
  readonly result: WorkloadResult | null;
}

/** `workspace_not_found`, `store_corrupt`. */
export async function inspectWorkspace(
  layout: StateLayout,
  name: string,
): Promise<WorkspaceStatus> {
  const record = await requireRecord(layout, name);
  const saved = await listSaved(snapshotsDir({ layout }, name));
  return {
    record,
    current: await currentState(layout, name),
    path: homeOf(layout, name),
    consolePath: join(machinePath(layout, record), "serial.log"),
    snapshots: saved.map((each) => each.name),
    result: await readResult(layout, name),
  };
}

/** How the workload of the last start ended. `result_not_found` when there is nothing to tell. */
export async function resultOf(layout: StateLayout, name: string): Promise<WorkloadResult> {
  await requireRecord(layout, name);
  const result = await readResult(layout, name);
  if (result !== null) return result;
  throw new MicroagentError("result_not_found", `Workspace "${name}" has no result`, {
    hint: "A result is what the entrypoint of a workspace came to: give it one with --entrypoint or --exec",
  });
}

async function readResult(layout: StateLayout, name: string): Promise<WorkloadResult | null> {
  const path = join(homeOf(layout, name), resultFile);
  try {
    return JSON.parse(await readFile(path, "utf8")) as WorkloadResult;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw fileError(error, `Result "${path}" cannot be read`);
  }
}
