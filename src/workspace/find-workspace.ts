import { MicroagentError } from "../base/errors.ts";
import type { StateLayout } from "../host/state-layout.ts";
import { listWorkspaces } from "./listing.ts";
import type { WorkspaceListing } from "./workspace-listing.ts";

/** The workspace of a name that has a directory, a running one before a kept one. `workspace_not_found` without one. */
export async function findWorkspace(
  layout: StateLayout,
  name: string,
): Promise<WorkspaceListing & { readonly path: string }> {
  const found = (await listWorkspaces(layout)).filter((each) => each.name === name);
  const best = found.find(({ state }) => state !== "stopped") ?? found[0];
  if (best !== undefined && best.path !== null) return { ...best, path: best.path };
  throw new MicroagentError("workspace_not_found", `Workspace "${name}" does not exist`, {
    hint: "See what there is with: microagent ps (a run leaves its workspace only with --keep)",
    details: { name },
  });
}
