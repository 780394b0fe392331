import { CleanupStack } from "../../base/cleanup.ts";
import type { Op } from "../../base/op.ts";
import type { Engine } from "../engine.ts";
import { passingTag } from "../templates/passing.ts";
import { type AttachedWorkspace, attachWorkspace } from "./attach.ts";
import { deleteWorkspace } from "./end.ts";
import type { LaunchOptions } from "./launch.ts";
import { deleteWorkspaceSnapshot } from "./snapshots.ts";
import { startFromSnapshot } from "./start.ts";

/**
 * Makes workspaces of a running one, one for each name, that go on where it is now; it goes on itself. When one of them
 * cannot be started, none is left. `name_taken`, `wrong_state`, `no_space`.
 */
export async function forkLiveWorkspace(
  op: Op,
  engine: Pick<Engine, "layout" | "launch">,
  name: string,
  copies: readonly string[],
  options: LaunchOptions = {},
): Promise<readonly AttachedWorkspace[]> {
  const { layout } = engine;
  const tag = passingTag();
  await using live = await attachWorkspace(op, layout, name);
  await live.snapshot(op, tag);
  const started: AttachedWorkspace[] = [];
  await using undo = new CleanupStack();
  try {
    for (const copy of copies) {
      const forked = await startFromSnapshot(op, engine, { workspace: name, tag }, copy, options);
      undo.defer(async () => {
        forked.close();
        await deleteWorkspace(op, layout, copy, { force: true });
      });
      started.push(forked);
    }
    undo.release();
    return started;
  } finally {
    // The copies have names of their own for its files.
    await deleteWorkspaceSnapshot(layout, name, tag);
  }
}
