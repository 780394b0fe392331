import { rm } from "node:fs/promises";
import { TreeBudget } from "../agent/tree-budget.ts";
import { asMicroagentError, type MicroagentError } from "../base/errors.ts";
import { type Op, startOp } from "../base/op.ts";
import type { DroppedFile } from "./dispatch.ts";
import type { Workspace } from "./workspace.ts";

/** A host directory that is copied into the guest before its command runs, owned by root there. */
export interface DirectoryIn {
  readonly hostPath: string;
  readonly guestPath: string;
}

/**
 * A guest directory that is copied out after the command: regular files and directories only. What was at
 * the host path before is gone.
 */
export interface DirectoryOut {
  readonly guestPath: string;
  readonly hostPath: string;
}

/** A host directory or file as something to drop; it is read when its turn comes, and no further than it is taken. */
export function droppedDirectory({ hostPath, guestPath }: DirectoryIn): DroppedFile {
  return {
    guestPath,
    async *tree() {
      const { readHostTree } = await import("../agent/host-tree.ts");
      const { op, end } = startOp("directory");
      try {
        yield* readHostTree(op, hostPath);
      } finally {
        end();
      }
    },
  };
}

export interface DirectoryLoss {
  readonly guestPath: string;
  readonly error: MicroagentError;
}

/** Copies the directories out; what cannot be had is returned, so that one does not cost the others. */
export async function fetchDirectories(
  op: Op,
  workspace: Workspace,
  directories: readonly DirectoryOut[],
): Promise<readonly DirectoryLoss[]> {
  const losses: DirectoryLoss[] = [];
  const budget = new TreeBudget();
  for (const { guestPath, hostPath } of directories) {
    try {
      await rm(hostPath, { recursive: true, force: true });
      const items = await workspace.get(op, guestPath, {
        maxEntries: Math.max(1, budget.left.entries),
        maxBytes: budget.left.bytes,
        maxNameBytes: Math.max(1, budget.left.nameBytes),
        maxRecords: budget.left.records,
      });
      const { writeHostTree } = await import("../agent/host-tree.ts");
      const { failure } = await writeHostTree(op, items, hostPath, budget);
      if (failure !== null) throw failure;
    } catch (error) {
      // Half of a directory would pass for one whose other files were removed.
      await rm(hostPath, { recursive: true, force: true }).catch(() => {});
      losses.push({ guestPath, error: asMicroagentError(error) });
    }
  }
  return losses;
}
