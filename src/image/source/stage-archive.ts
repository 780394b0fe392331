import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Parser, type ReadEntry } from "tar";
import { isMicroagentError, MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";

/** A regular file of an archive, in the staging directory under a number; its name is only data. */
export interface StagedFile {
  readonly path: string;
  readonly size: number;
  readonly digest: string;
}

/** What an archive held: files by their normalised names, and links by name to name. */
export interface StagedArchive {
  readonly files: ReadonlyMap<string, StagedFile>;
  readonly links: ReadonlyMap<string, string>;
}

/**
 * Streams an archive (plain or compressed) once, writing the regular files that `wanted` accepts. Names never become
 * paths, so nothing can escape; count and size of the entries are bounded.
 */
export async function stageArchive(
  op: Op,
  path: string,
  stagingDir: string,
  what: string,
  wanted: (name: string) => boolean,
): Promise<StagedArchive> {
  const files = new Map<string, StagedFile>();
  const links = new Map<string, string>();
  let entries = 0;
  let bytes = 0;
  const taken: Promise<void>[] = [];
  let current: ReadEntry | null = null;
  const stop = new AbortController();

  const take = async (entry: ReadEntry) => {
    const name = normalised(entry.path);
    if (++entries > limits.image.archiveEntriesMax) {
      throw hostile(what, `more than ${limits.image.archiveEntriesMax} entries`);
    }
    if (name === null) throw hostile(what, `an entry named "${entry.path}"`);
    if (entry.type === "SymbolicLink" || entry.type === "Link") {
      const target = linkTarget(name, entry.linkpath ?? "", entry.type);
      if (target !== null) links.set(name, target);
      entry.resume();
      return;
    }
    if ((entry.type !== "File" && entry.type !== "OldFile") || !wanted(name)) {
      entry.resume();
      return;
    }
    bytes += entry.size;
    if (bytes > limits.image.unpackedBytesMax) {
      throw hostile(what, `more than ${limits.image.unpackedBytesMax} bytes`);
    }
    // Of two entries with one name the later counts, as for tar itself.
    files.set(name, await stageEntry(op, entry, join(stagingDir, String(entries))));
  };

  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      current = entry;
      taken.push(
        take(entry).catch((error: unknown) => {
          stop.abort(error);
          // Nobody reads on, and the parser must not wait for a reader.
          entry.resume();
        }),
      );
    },
  });
  try {
    await feed(op, path, parser, stop.signal);
    await Promise.all(taken);
    stop.signal.throwIfAborted();
  } catch (error) {
    // A broken archive never ends its entry; whoever writes it must let go of his file.
    (current as ReadEntry | null)?.destroy();
    stop.abort(error);
    await Promise.all(taken);
    op.check();
    throw archiveError(stop.signal.aborted ? stop.signal.reason : error, what);
  }
  return { files, links };
}

/** Writes the file into the parser at the pace of whoever takes the entries. */
async function feed(op: Op, path: string, parser: Parser, stop: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([op.signal, stop]);
  const ended = once(parser, "end", { signal });
  ended.catch(() => {});
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) {
    if (!parser.write(chunk as Buffer))
      await Promise.race([once(parser, "drain", { signal }), ended]);
  }
  parser.end();
  await ended;
}

/** The file behind a name, through links; null when there is none. */
export function stagedFile(archive: StagedArchive, name: string): StagedFile | null {
  let current = normalised(name);
  for (let hop = 0; hop <= limits.image.linkDepthMax && current !== null; hop++) {
    const file = archive.files.get(current);
    if (file !== undefined) return file;
    current = archive.links.get(current) ?? null;
  }
  return null;
}

async function stageEntry(op: Op, entry: ReadEntry, path: string): Promise<StagedFile> {
  const hash = createHash("sha256");
  let size = 0;
  const file = await open(path, "wx", 0o600).catch((error: unknown) => {
    throw fileError(error, `File "${path}" cannot be made`);
  });
  try {
    for await (const chunk of entry) {
      op.check();
      hash.update(chunk);
      size += chunk.length;
      await file.writeFile(chunk).catch((error: unknown) => {
        throw fileError(error, `File "${path}" cannot be written`);
      });
    }
  } finally {
    await file.close();
  }
  return { path, size, digest: `sha256:${hash.digest("hex")}` };
}

/** The name without `./` and doubled slashes; null when it leaves the archive. */
function normalised(name: string): string | null {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  return name.startsWith("/") || parts.includes("..") ? null : parts.join("/");
}

/** A hard link names an entry of the archive, a symbolic link a path from where it lies. */
function linkTarget(name: string, target: string, type: string): string | null {
  if (type === "Link") return normalised(target);
  if (target.startsWith("/")) return null;
  const parts = name.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.join("/");
}

function hostile(what: string, found: string): MicroagentError {
  return new MicroagentError("image_hostile", `${what} holds ${found}`);
}

function archiveError(error: unknown, what: string): MicroagentError {
  if (isMicroagentError(error)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new MicroagentError(
    "image_corrupt",
    `${what} cannot be read as a tar archive: ${reason}`,
    {
      cause: error,
    },
  );
}
