import { basename, dirname, join } from "node:path/posix";
import type { GetOptions } from "../agent/get.ts";
import type { TreeEntry, TreeItem } from "../agent/tree.ts";
import { singleFileTree, treeEntry } from "../agent/tree.ts";
import { MicroagentError } from "../base/errors.ts";
import { GatheredBytes } from "../base/gathered-bytes.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import type { ReachableGuest } from "./reachable-guest.ts";

export interface GuestFileOptions {
  /** Permission bits; default 0644, directories 0755. */
  readonly mode?: number | undefined;
  /** `uid:gid` by number; default root. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/** The bytes of one file. `guest_file_not_found`, `output_refused` beyond `bytesMax`. */
export async function readGuestFile(
  op: Op,
  workspace: ReachableGuest,
  path: string,
  bytesMax: number,
): Promise<Buffer> {
  // A link is followed here, because a tree brings links as links.
  const entry = await workspace.explaining("reading a file", workspace.agent.stat(op, path));
  if (entry.type !== "file") {
    throw new MicroagentError("invalid_argument", `"${path}" is a ${entry.type}, wanted a file`);
  }
  const content = new GatheredBytes();
  const items = await workspace.get(op, await resolved(op, workspace, path), {
    maxEntries: 1,
    maxBytes: bytesMax,
  });
  for await (const item of items) {
    if (item.kind === "data") content.add(item.data);
    else if (item.kind === "hole") content.addZeros(item.bytes);
    else if (item.kind === "end" && item.truncated) {
      throw new MicroagentError("output_refused", `"${path}" is larger than ${bytesMax} bytes`);
    }
  }
  return content.bytes();
}

const linksMax = 40;

/** The path behind symbolic links. */
async function resolved(op: Op, workspace: ReachableGuest, path: string): Promise<string> {
  let at = path;
  for (let count = 0; count < linksMax; count++) {
    const { type, link } = await workspace.agent.stat(op, at, { follow: false });
    if (type !== "symlink" || link === null) return at;
    at = link.startsWith("/") ? link : join(dirname(at), link);
  }
  throw new MicroagentError("invalid_argument", `"${path}" has more than ${linksMax} links`);
}

/** Writes one file, with the directories above it. */
export async function writeGuestFile(
  op: Op,
  workspace: ReachableGuest,
  path: string,
  data: Uint8Array,
  options: GuestFileOptions = {},
): Promise<void> {
  const { mode = 0o644, owner = { uid: 0, gid: 0 } } = options;
  const nowSeconds = Math.floor(op.clock.now() / 1000);
  await workspace.put(op, path, singleFileTree(data, { mode, ...owner, mtimeSeconds: nowSeconds }));
}

/** Makes a directory and those above it; one that is there stays as it is. */
export async function makeGuestDirectory(
  op: Op,
  workspace: ReachableGuest,
  path: string,
  options: GuestFileOptions = {},
): Promise<void> {
  const { mode = 0o755, owner = { uid: 0, gid: 0 } } = options;
  const entry = treeEntry({ path: "", type: "dir", mode, ...owner });
  async function* tree() {
    yield { kind: "entry" as const, entry };
  }
  await workspace.put(op, path, tree());
}

/** What a copy left out. */
export interface LeftOut {
  /** The first of them, relative to the path that was copied. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  /** All of them. */
  readonly skippedCount: number;
}

/** Copies a host file or directory to a guest path: regular files, directories and links. */
export async function copyIntoGuest(
  op: Op,
  workspace: ReachableGuest,
  hostPath: string,
  guestPath: string,
): Promise<LeftOut> {
  const { readHostTree } = await import("../agent/host-tree.ts");
  const skipped: { readonly path: string; readonly reason: string }[] = [];
  let skippedCount = 0;
  async function* noting(): AsyncIterable<TreeItem> {
    for await (const item of readHostTree(op, hostPath)) {
      yield item;
      if (item.kind !== "skip") continue;
      skippedCount += 1;
      if (skipped.length < limits.outputs.recordsMax) {
        skipped.push({ path: item.path, reason: item.message });
      }
    }
  }
  await workspace.put(op, guestPath, noting());
  return { skipped, skippedCount };
}

/** What was brought out, and what was left. */
export interface CopiedOut extends LeftOut {
  /** Relative to the host path. */
  readonly files: readonly string[];
}

/** Copies a guest file or directory to a host path: regular files and directories, with their bounds. */
export async function copyOutOfGuest(
  op: Op,
  workspace: ReachableGuest,
  guestPath: string,
  hostPath: string,
  caps: GetOptions,
): Promise<CopiedOut> {
  const { writeHostTree } = await import("../agent/host-tree.ts");
  const path = await resolved(op, workspace, guestPath);
  const { type } = await workspace.agent.stat(op, path);
  const items = await workspace.get(op, path, caps);
  const isFile = type === "file";
  const { files, skipped, skippedCount, failure } = await writeHostTree(
    op,
    isFile ? named(items, basename(hostPath)) : items,
    isFile ? dirname(hostPath) : hostPath,
  );
  if (failure !== null) throw failure;
  return { files: files.map((file) => file.path), skipped, skippedCount };
}

/** A tree that is one file, with a name. */
async function* named<Item extends { readonly kind: string }>(
  items: AsyncIterable<Item>,
  name: string,
): AsyncIterable<Item> {
  for await (const item of items) {
    if (item.kind !== "entry") yield item;
    else {
      const { entry } = item as unknown as { readonly entry: TreeEntry };
      yield { ...item, entry: { ...entry, path: name, pathBytes: null } };
    }
  }
}
