import { z } from "zod";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import type { Session } from "../channel/session.ts";
import { exchange } from "./exchange.ts";
import { TreeReader } from "./tree-reader.ts";

export interface GetOptions {
  readonly maxEntries?: number | undefined;
  /** File content, holes included. */
  readonly maxBytes?: number | undefined;
  /** Bytes of paths and link targets. */
  readonly maxNameBytes?: number | undefined;
  /** Entries that are neither files nor directories, and unreadable ones; further ones are counted at the end. */
  readonly maxRecords?: number | undefined;
}

const rootReply = z.object({ type: z.string().max(32) });

/** Reads a tree from a guest path, within caps that default to those of outputs. */
export async function getTree(
  op: Op,
  session: Session,
  path: string,
  options: GetOptions,
): Promise<TreeReader> {
  const entriesMax = options.maxEntries ?? limits.outputs.filesMax;
  const bytesMax = options.maxBytes ?? limits.outputs.bytesMax;
  const request = {
    op: "get",
    path,
    max_entries: entriesMax,
    max_bytes: bytesMax,
    // JSON drops what is undefined.
    max_name_bytes: options.maxNameBytes,
    max_records: options.maxRecords,
  };
  const { stream, reader } = await exchange(op, session, request, rootReply, `read "${path}"`);
  return new TreeReader(op, stream, reader, { entriesMax, bytesMax });
}
