import type { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { HostTreeWriter } from "./host-tree-writer.ts";
import type { TreeItem } from "./tree.ts";
import { TreeBudget } from "./tree-budget.ts";
import type { TreeManifest } from "./tree-manifest.ts";

/**
 * Writes a hostile tree below `destDir`, which is made when missing: regular files and directories
 * only, nothing through a symbolic link, files beside their name and then renamed over what was
 * there, holes kept as holes. Takes what it needs from `budget`, which several trees may share. Never throws
 * for what the guest or the disk does: see `failure`.
 */
export async function writeHostTree(
  op: Op,
  items: AsyncIterable<TreeItem>,
  destDir: string,
  budget: TreeBudget = new TreeBudget(),
): Promise<TreeManifest> {
  const writer = new HostTreeWriter(op, destDir, budget);
  const iterator = items[Symbol.asyncIterator]();
  let failure: MicroagentError | null = null;
  try {
    await writer.start();
    for (;;) {
      const next = await op.race(iterator.next());
      if (next.done === true) break;
      await writer.take(next.value);
    }
    failure = await writer.finish();
  } catch (error) {
    // Not awaited: a source that is stuck must not hold us; its stream goes with the op or the agent.
    iterator.return?.().catch(() => {});
    failure = await writer.abandon(error);
  }
  return { ...writer.manifest(), failure };
}

export { readHostTree } from "./host-walk.ts";
export { TreeBudget } from "./tree-budget.ts";
export type { TreeManifest } from "./tree-manifest.ts";
