import type { WorkspaceState } from "./held/state.ts";

/** One workspace of a state directory. */
export interface WorkspaceListing {
  readonly name: string;
  /**
   * `starting` has no machine yet, `running` has one, `orphaned` lost its owner and waits for
   * collection, `stopped` was kept after its run; the others are those of workspaces that outlive their runs.
   */
  readonly state: WorkspaceState | "orphaned";
  readonly backend: string | null;
  readonly ownerPid: number | null;
  readonly vmmPid: number | null;
  readonly startedAt: Date | null;
  readonly path: string | null;
}
