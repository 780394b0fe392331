import { isMicroagentError } from "../../base/errors.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import type { WorkspaceListing } from "../workspace-listing.ts";
import { homeOf, machinePath, readRecord } from "./record.ts";
import { currentState } from "./state.ts";

/** A workspace of the user's, for listings; null where a directory is something else. */
export async function heldListing(
  layout: StateLayout,
  name: string,
): Promise<WorkspaceListing | null> {
  try {
    const record = await readRecord(layout, name);
    if (record === null) return null;
    const { state, holder, startedAt } = await currentState(layout, name);
    return {
      name,
      state,
      backend: holder?.backend ?? null,
      ownerPid: holder?.pid ?? null,
      vmmPid: holder?.vmmPid ?? null,
      startedAt: startedAt === null ? null : new Date(startedAt),
      path: machinePath(layout, record),
    };
  } catch (error) {
    if (!isMicroagentError(error) || error.code !== "store_corrupt") throw error;
    const unknown = { backend: null, ownerPid: null, vmmPid: null, startedAt: null };
    return { name, state: "failed", path: homeOf(layout, name), ...unknown };
  }
}
