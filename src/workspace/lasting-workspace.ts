import { stat } from "node:fs/promises";
import { join } from "node:path";

/** A workspace that was made to be started, and started again; a run leaves another kind behind. */
export async function outlivesItsRuns(path: string): Promise<boolean> {
  return (await stat(join(path, "workspace.json")).catch(() => null)) !== null;
}
