import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../base/errors.ts";
import { fileError } from "../host/file-error.ts";

/** Names in a directory of workspaces; none where it is not there. */
export async function namesIn(dir: string): Promise<string[]> {
  return await readdir(dir).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileError(error, `Directory "${dir}" cannot be read`);
  });
}

/** A workspace that was made to be started, and started again; a run leaves another kind behind. */
export async function outlivesItsRuns(path: string): Promise<boolean> {
  return (await stat(join(path, "workspace.json")).catch(() => null)) !== null;
}
