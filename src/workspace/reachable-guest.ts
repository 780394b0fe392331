import type { Agent } from "../agent/agent.ts";
import type { GetOptions } from "../agent/get.ts";
import type { TreeItem } from "../agent/tree.ts";
import type { Op } from "../base/op.ts";

/** A running guest, whichever process holds it. */
export interface ReachableGuest {
  /** For what has no verb here. */
  readonly agent: Agent;
  /** Settles as `work` does, but a guest that is gone says why. `doing` completes "while". */
  explaining<T>(doing: string, work: Promise<T>): Promise<T>;
  put(op: Op, path: string, tree: AsyncIterable<TreeItem>): Promise<unknown>;
  get(op: Op, path: string, caps: GetOptions): Promise<AsyncIterable<TreeItem>>;
}
