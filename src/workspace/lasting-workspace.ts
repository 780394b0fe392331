import { join } from "node:path";
import { isThere } from "../host/is-there.ts";

/** A workspace that was made to be started, and started again; a run leaves another kind behind. */
export async function outlivesItsRuns(path: string): Promise<boolean> {
  return await isThere(join(path, "workspace.json"));
}
