import { MicroagentError } from "../../base/errors.ts";
import type { WorkspaceState } from "./state.ts";

/** For a wish that a workspace's state does not allow. `wish` completes "it cannot". */
export function wrongState(name: string, state: WorkspaceState, wish: string): MicroagentError {
  return new MicroagentError(
    "wrong_state",
    `Workspace "${name}" is ${state}, so it cannot ${wish}`,
    { hint: hintFor(name, state), details: { name, state } },
  );
}

function hintFor(name: string, state: WorkspaceState): string {
  switch (state) {
    case "running":
    case "starting":
    case "stopping":
      return `See it with: microagent status ${name} (microagent stop ${name} ends it in good order)`;
    case "paused":
      return `Let it go on with: microagent resume ${name}`;
    default:
      return `Start it with: microagent start ${name}`;
  }
}
