import { posix } from "node:path";
import { encodeJsonFrame, frameKind } from "../../src/agent/frame.ts";
import { type TreeEntry, type TreeItem, treeEntry } from "../../src/agent/tree.ts";
import { encodeTreeEntry } from "../../src/agent/tree-entry.ts";
import { TreeReader } from "../../src/agent/tree-reader.ts";
import { sendTree } from "../../src/agent/tree-sender.ts";
import type { MemoryFiles, MemoryNode } from "./guest-files.ts";
import type { GuestCall, RequestOf } from "./guest-request.ts";

/** Takes a tree from the host into the guest's files. */
export async function servePut(
  call: GuestCall,
  request: RequestOf<"put">,
  files: MemoryFiles,
): Promise<void> {
  const parent = files.follow(posix.dirname(posix.resolve("/", request.path)));
  if (parent?.type !== "dir" && (parent !== null || !request.parents)) {
    const code = parent === null ? "not_found" : "not_a_directory";
    await call.refuse(code, `${posix.dirname(request.path)}: no such directory`);
    return;
  }
  await call.reply();
  const caps = { entriesMax: Number.MAX_SAFE_INTEGER, bytesMax: Number.MAX_SAFE_INTEGER };
  let current: TreeEntry | null = null;
  let content: Uint8Array[] = [];
  let entries = 0;
  let bytes = 0;
  // The stream still has to carry our answer: the reader must not finish it.
  for await (const item of new TreeReader(call.op, call.stream, call.reader, caps, "upload")) {
    if (item.kind === "entry") {
      entries += 1;
      if (item.entry.type === "file") {
        current = item.entry;
        content = [];
      } else store(files, request, item.entry, Buffer.alloc(0));
    } else if (item.kind === "data") {
      bytes += item.data.length;
      content.push(Buffer.from(item.data));
    } else if (item.kind === "hole") {
      bytes += item.bytes;
      content.push(Buffer.alloc(item.bytes));
    } else if (item.kind === "entry-end" && current !== null) {
      store(files, request, current, Buffer.concat(content));
    }
  }
  await call.reply({ entries, bytes });
}

function store(
  files: MemoryFiles,
  request: RequestOf<"put">,
  entry: TreeEntry,
  data: Buffer,
): void {
  const { type, mode, mtimeSeconds, link } = entry;
  const { uid, gid } = request.owner ?? entry;
  files.set(posix.join("/", request.path, entry.path), {
    type,
    mode,
    uid,
    gid,
    mtimeSeconds,
    data,
    link,
  });
}

/** Sends a tree of the guest's files. */
export async function serveGet(
  call: GuestCall,
  request: RequestOf<"get">,
  files: MemoryFiles,
): Promise<void> {
  const root = files.get(request.path);
  if (root === null) {
    await call.refuse("not_found", `${request.path}: no such file or directory`, "ENOENT");
    return;
  }
  await call.reply({ type: root.type });
  await sendTree(call.op, call.stream, walk(files, request));
}

async function* walk(files: MemoryFiles, request: RequestOf<"get">): AsyncIterable<TreeItem> {
  const waiting = [""];
  let entries = 0;
  let bytes = 0;
  let records = 0;
  let counted = 0;
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const absolute = posix.join("/", request.path, path);
    const node = files.get(absolute);
    if (node === null) continue;
    entries += 1;
    bytes += node.data.length;
    if (entries > request.max_entries || bytes > request.max_bytes) {
      yield { kind: "end", entries, bytes, truncated: true, counted };
      return;
    }
    if (node.type !== "file" && node.type !== "dir") {
      records += 1;
      if (request.max_records !== undefined && records > request.max_records) {
        counted += 1;
        continue;
      }
    }
    yield { kind: "entry", entry: entryOf(path, node) };
    if (node.type === "file") {
      if (node.data.length > 0) yield { kind: "data", data: node.data };
      yield { kind: "entry-end" };
    }
    if (node.type !== "dir") continue;
    const below = path;
    waiting.push(
      ...files
        .names(absolute)
        .reverse()
        .map((name) => (below === "" ? name : `${below}/${name}`)),
    );
  }
  yield { kind: "end", entries, bytes, truncated: false, counted };
}

export async function serveStat(
  call: GuestCall,
  request: RequestOf<"stat">,
  files: MemoryFiles,
): Promise<void> {
  const node = request.follow ? files.follow(request.path) : files.get(request.path);
  if (node === null) {
    await call.refuse("not_found", `${request.path}: no such file or directory`, "ENOENT");
    return;
  }
  await call.reply({ entry: encodeTreeEntry(entryOf(posix.basename(request.path), node)) });
}

export async function serveReaddir(
  call: GuestCall,
  request: RequestOf<"readdir">,
  files: MemoryFiles,
): Promise<void> {
  const node = files.follow(request.path);
  if (node?.type !== "dir") {
    const code = node === null ? "not_found" : "not_a_directory";
    await call.refuse(code, `${request.path}: no such directory`);
    return;
  }
  await call.reply();
  const names = files.names(request.path);
  const frames = names.slice(0, request.limit).flatMap((name) => {
    const child = files.get(posix.join(request.path, name));
    if (child === null) return [];
    return [encodeJsonFrame(frameKind.entry, encodeTreeEntry(entryOf(name, child)))];
  });
  const end = { entries: frames.length, bytes: 0, truncated: names.length > request.limit };
  await call.stream.write(call.op, [...frames, encodeJsonFrame(frameKind.end, end)]);
}

function entryOf(path: string, node: MemoryNode): TreeEntry {
  const { type, mode, uid, gid, mtimeSeconds, link } = node;
  return treeEntry({ path, type, mode, uid, gid, mtimeSeconds, link, sizeBytes: node.data.length });
}
