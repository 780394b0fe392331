import { z } from "zod";
import type { Op } from "../base/op.ts";
import type { Session } from "../channel/session.ts";
import { exchange, plainReply, readReply } from "./exchange.ts";
import type { TransferSummary, TreeItem } from "./tree.ts";
import { sendTree } from "./tree-sender.ts";

export interface PutOptions {
  /** Makes missing parents of the path; default true. */
  readonly parents?: boolean | undefined;
  /** Replaces the owners of all entries. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

const count = z.number().int().nonnegative();
const writtenReply = z.object({ entries: count, bytes: count });

/**
 * Writes a tree at a guest path. The guest may refuse at any time, for instance when its disk is
 * full: then the rest is not sent and the refusal is thrown (`guest_refused`).
 */
export async function putTree(
  op: Op,
  session: Session,
  path: string,
  tree: AsyncIterable<TreeItem>,
  options: PutOptions,
): Promise<TransferSummary> {
  const action = `write "${path}"`;
  const request = {
    op: "put",
    path,
    parents: options.parents ?? true,
    ...(options.owner === undefined ? {} : { owner: options.owner }),
  };
  const { stream, reader } = await exchange(op, session, request, plainReply, action);
  const answered = reader.line(op).then((value) => readReply(reader, value, writtenReply, action));
  answered.catch(() => {});
  const sent = sendTree(op, stream, tree);
  sent.catch(() => {});
  try {
    const first = await Promise.race([sent.then(() => "sent" as const), answered]);
    if (first !== "sent") {
      throw reader.violate("The guest said a tree was written before all of it was sent");
    }
    await answered;
    stream.leave();
    return await sent;
  } catch (error) {
    // The stream may have broken because the guest refused: then the refusal is already here.
    const refusal = stream.failed ? await answered.catch((reason: unknown) => reason) : error;
    stream.reset();
    throw refusal instanceof Error ? refusal : error;
  }
}
