import type { BigIntStats } from "node:fs";
import { lstat, readdir, readlink, realpath } from "node:fs/promises";
import { errnoOf } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { type HostContent, loadSmall, readLarge, smallBytesMax } from "./host-content.ts";
import { hostReadError } from "./host-read-error.ts";
import { type EntryType, type TreeEntry, type TreeItem, treeEntry } from "./tree.ts";

/** Small files are read this far ahead of the one being sent. */
const aheadMax = 8;
/** Entries of one directory looked at together. */
const lookMax = 64;

/**
 * Reads a host file or directory as a tree, for `Agent.put`: entries in byte order of their paths'
 * components, links as links (only `hostPath` itself is followed), owned by root, holes of sparse
 * files kept. Sockets, pipes and devices become skips. `invalid_argument` when the path is missing.
 */
export async function* readHostTree(op: Op, hostPath: string): AsyncIterable<TreeItem> {
  const waiting: Found[] = [await findRoot(hostPath)];
  for (let found = waiting.pop(); found !== undefined; found = waiting.pop()) {
    op.check();
    const type = typeOf(found.stats);
    if (type === "dir") {
      yield { kind: "entry", entry: entryOf(found, found.stats, "dir", null) };
      // Last in, first out: the reverse order makes the smallest name the next one.
      waiting.push(...(await list(op, found)).reverse());
    } else if (type === "symlink") {
      const target = await readlink(found.host, { encoding: "buffer" });
      yield { kind: "entry", entry: entryOf(found, found.stats, "symlink", target) };
    } else if (type === "file") {
      startLoading(found);
      for (const next of waiting.slice(-aheadMax)) startLoading(next);
      yield* fileItems(op, found);
    } else {
      const path = found.guest.toString();
      yield { kind: "skip", path, code: "unsupported", message: "Not a file, directory or link" };
    }
  }
}

interface Found {
  readonly host: Buffer;
  /** Path in the tree. */
  readonly guest: Buffer;
  readonly stats: BigIntStats;
  /** The whole content, once it is asked for and if it is small. */
  content: Promise<HostContent> | null;
}

const empty = Buffer.alloc(0);
const slash = Buffer.from("/");

/** The root with its links resolved: from here on a link is never followed. */
async function findRoot(hostPath: string): Promise<Found> {
  try {
    const host = Buffer.from(await realpath(hostPath));
    return { host, guest: empty, stats: await lstat(host, { bigint: true }), content: null };
  } catch (error) {
    throw hostReadError(error, "Path", hostPath);
  }
}

/** The entries of a directory in byte order; what vanishes meanwhile is not there. */
async function list(op: Op, dir: Found): Promise<Found[]> {
  const names = await readdir(dir.host, { encoding: "buffer" }).catch((error: unknown) => {
    throw hostReadError(error, "Directory", dir.host.toString());
  });
  names.sort(Buffer.compare);
  const found: Found[] = [];
  for (let at = 0; at < names.length; at += lookMax) {
    op.check();
    const looked = await Promise.all(
      names.slice(at, at + lookMax).map((name) => lookAt(dir, name)),
    );
    for (const entry of looked) if (entry !== null) found.push(entry);
  }
  return found;
}

async function lookAt(dir: Found, name: Buffer): Promise<Found | null> {
  const host = Buffer.concat([dir.host, slash, name]);
  const guest = dir.guest.length === 0 ? name : Buffer.concat([dir.guest, slash, name]);
  try {
    return { host, guest, stats: await lstat(host, { bigint: true }), content: null };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw hostReadError(error, "Path", host.toString());
  }
}

function startLoading(found: Found): void {
  if (found.content !== null || typeOf(found.stats) !== "file") return;
  if (found.stats.size > smallBytesMax) return;
  found.content = loadSmall(found.host);
  found.content.catch(() => {});
}

async function* fileItems(op: Op, found: Found): AsyncIterable<TreeItem> {
  const content = found.content === null ? null : await found.content;
  if (content?.data != null) {
    yield { kind: "entry", entry: entryOf(found, content.stats, "file", null) };
    if (content.data.length > 0) yield { kind: "data", data: content.data };
  } else {
    yield* readLarge(op, found.host, (stats) => entryOf(found, stats, "file", null));
  }
  yield { kind: "entry-end" };
}

function typeOf(stats: BigIntStats): EntryType | null {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "dir";
  return stats.isSymbolicLink() ? "symlink" : null;
}

function entryOf(
  found: Found,
  stats: BigIntStats,
  type: EntryType,
  target: Buffer | null,
): TreeEntry {
  const path = found.guest.toString();
  // Rounded down, so that the nanoseconds are never negative, also before 1970.
  const nanoseconds = ((stats.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return treeEntry({
    path,
    pathBytes: Buffer.from(path).equals(found.guest) ? null : found.guest,
    type,
    mode: Number(stats.mode & 0o7777n),
    sizeBytes: type === "file" ? Number(stats.size) : 0,
    mtimeSeconds: Number((stats.mtimeNs - nanoseconds) / 1_000_000_000n),
    mtimeNanoseconds: Number(nanoseconds),
    link: target === null ? null : target.toString(),
    linkBytes: target === null || Buffer.from(target.toString()).equals(target) ? null : target,
  });
}
