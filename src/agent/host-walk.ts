import { type BigIntStats, constants } from "node:fs";
import { lstat, open, readdir, readlink, realpath } from "node:fs/promises";
import { errnoOf, MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { type EntryType, type TreeEntry, type TreeItem, treeEntry } from "./tree.ts";

/** Large enough that a read's round trip through the thread pool does not matter. */
const readBytes = 256 * 1024;
const zeros = Buffer.alloc(readBytes);
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

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
      yield { kind: "entry", entry: entryOf(found, "dir", null) };
      // Last in, first out: the reverse order makes the smallest name the next one.
      waiting.push(...(await list(found)).reverse());
    } else if (type === "symlink") {
      const target = await readlink(found.host, { encoding: "buffer" });
      yield { kind: "entry", entry: entryOf(found, "symlink", target) };
    } else if (type === "file") {
      yield* readFile(op, found);
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
}

const empty = Buffer.alloc(0);
const slash = Buffer.from("/");

/** The root with its links resolved: from here on a link is never followed. */
async function findRoot(hostPath: string): Promise<Found> {
  try {
    const host = Buffer.from(await realpath(hostPath));
    return { host, guest: empty, stats: await lstat(host, { bigint: true }) };
  } catch (error) {
    throw readError(error, "Path", hostPath);
  }
}

/** The entries of a directory in byte order; what vanishes meanwhile is not there. */
async function list(dir: Found): Promise<Found[]> {
  const names = await readdir(dir.host, { encoding: "buffer" }).catch((error: unknown) => {
    throw readError(error, "Directory", dir.host.toString());
  });
  names.sort(Buffer.compare);
  const found: Found[] = [];
  for (const name of names) {
    const host = Buffer.concat([dir.host, slash, name]);
    const guest = dir.guest.length === 0 ? name : Buffer.concat([dir.guest, slash, name]);
    try {
      found.push({ host, guest, stats: await lstat(host, { bigint: true }) });
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw readError(error, "Path", host.toString());
    }
  }
  return found;
}

async function* readFile(op: Op, found: Found): AsyncIterable<TreeItem> {
  const path = found.host.toString();
  const handle = await open(found.host, readFlags).catch((error: unknown) => {
    throw readError(error, "File", path);
  });
  try {
    const stats = await handle.stat({ bigint: true });
    yield { kind: "entry", entry: entryOf({ ...found, stats }, "file", null) };
    // Fewer blocks than bytes: somewhere there are holes, so zeros are worth looking for.
    const sparse = stats.blocks * 512n < stats.size;
    const read = () => handle.read(Buffer.allocUnsafeSlow(readBytes), 0, readBytes);
    let hole = 0;
    let ahead = read();
    for (;;) {
      const { bytesRead, buffer } = await ahead;
      op.check();
      if (bytesRead === 0) break;
      // The disk works while the guest takes what we have.
      ahead = read();
      ahead.catch(() => {});
      const data = buffer.subarray(0, bytesRead);
      if (sparse && data.equals(zeros.subarray(0, bytesRead))) {
        hole += bytesRead;
        continue;
      }
      if (hole > 0) yield { kind: "hole", bytes: hole };
      hole = 0;
      yield { kind: "data", data };
    }
    if (hole > 0) yield { kind: "hole", bytes: hole };
    yield { kind: "entry-end" };
  } finally {
    await handle.close();
  }
}

function typeOf(stats: BigIntStats): EntryType | null {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "dir";
  return stats.isSymbolicLink() ? "symlink" : null;
}

function entryOf(found: Found, type: EntryType, target: Buffer | null): TreeEntry {
  const path = found.guest.toString();
  const link = target === null ? null : target.toString();
  return treeEntry({
    path,
    pathBytes: Buffer.from(path).equals(found.guest) ? null : found.guest,
    type,
    mode: Number(found.stats.mode & 0o7777n),
    sizeBytes: type === "file" ? Number(found.stats.size) : 0,
    mtimeSeconds: Math.floor(Number(found.stats.mtimeNs / 1_000_000_000n)),
    mtimeNanoseconds: Number(found.stats.mtimeNs % 1_000_000_000n),
    link,
    linkBytes: target === null || Buffer.from(target.toString()).equals(target) ? null : target,
  });
}

function readError(cause: unknown, what: string, path: string): MicroagentError {
  const errno = errnoOf(cause);
  const detail = errno === "ENOENT" ? "does not exist" : `cannot be read (${errno ?? cause})`;
  return new MicroagentError("invalid_argument", `${what} "${path}" ${detail}`, {
    cause,
    details: { errno },
  });
}
