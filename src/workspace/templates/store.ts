import { lstat, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../../base/errors.ts";
import { randomHex } from "../../base/ids.ts";
import type { Op } from "../../base/op.ts";
import { namesIn } from "../../host/directory-names.ts";
import { fileError } from "../../host/file-error.ts";
import { publishDir, writeFileAtomic } from "../../host/files.ts";
import { isThere } from "../../host/is-there.ts";
import { ensurePrivateDir } from "../../host/state-layout.ts";
import type { SavedMachine } from "../../supervisor/port.ts";
import { sparseDigest } from "./digest.ts";
import {
  type Manifest,
  manifestBytesMax,
  manifestName,
  manifestText,
  parseManifest,
  type SavedFile,
} from "./manifest.ts";
import { readFileBounded } from "./read-bounded.ts";

/** A saved machine that is whole, as far as can be told without reading all of it. */
export type Found =
  | { readonly kind: "whole"; readonly manifest: Manifest; readonly path: string }
  | { readonly kind: "none" }
  /** There is one and it cannot be used; `reason` is one sentence. */
  | { readonly kind: "broken"; readonly reason: string };

/** One saved machine of a directory, for listings. */
export interface Stored {
  readonly name: string;
  readonly path: string;
  /** Null when it cannot be read. */
  readonly manifest: Manifest | null;
  readonly sizeBytes: number;
  readonly usedAt: Date;
}

/**
 * Looks a saved machine up. Its small files are read and checked each time; the large ones are known by
 * length and time, and read whole when the time is another than it was.
 */
export async function findSaved(op: Op, parent: string, name: string): Promise<Found> {
  const path = join(parent, name);
  const text = await readFileBounded(join(path, manifestName), manifestBytesMax);
  if (text === null) return (await isThere(path)) ? broken("it has no manifest") : { kind: "none" };
  const manifest = parseManifest(text);
  if (manifest === null) return broken("its manifest is damaged or of another version");
  for (const file of manifest.files) {
    const reason = await fault(op, join(path, file.name), file, manifest.saved.state);
    if (reason !== null) return broken(reason);
  }
  return { kind: "whole", manifest, path };
}

async function fault(op: Op, path: string, file: SavedFile, state: string): Promise<string | null> {
  const facts = await stat(path).catch(() => null);
  if (facts === null) return `its file "${file.name}" is missing`;
  if (facts.size !== file.sizeBytes) {
    return `its file "${file.name}" has ${facts.size} bytes, wanted ${file.sizeBytes}`;
  }
  if (file.name !== state && facts.mtimeMs === file.modifiedMs) return null;
  if (file.digest === null) return `its file "${file.name}" was changed after it was saved`;
  if ((await sparseDigest(op, path)) === file.digest) return null;
  return `its file "${file.name}" does not hold what was saved`;
}

/** Describes the files of a saved machine, ready to be published. */
export async function describeFiles(
  op: Op,
  dir: string,
  saved: SavedMachine,
): Promise<SavedFile[]> {
  const files: SavedFile[] = [];
  for (const name of (await readdir(dir)).sort()) {
    const path = join(dir, name);
    const { size, mtimeMs } = await stat(path);
    files.push({
      name,
      sizeBytes: size,
      digest: name === saved.state || name === saved.memory ? await sparseDigest(op, path) : null,
      modifiedMs: mtimeMs,
    });
  }
  return files;
}

/** Puts a complete directory in its place in one step; false when another was there first. */
export async function publishSaved(
  dir: string,
  parent: string,
  name: string,
  manifest: Manifest,
): Promise<boolean> {
  await ensurePrivateDir(parent);
  await writeFileAtomic(join(dir, manifestName), manifestText(manifest));
  return await publishDir(dir, join(parent, name));
}

/** Notes that a saved machine was used now. */
export async function touchSaved(path: string, nowMs: number): Promise<void> {
  await utimes(path, nowMs / 1000, nowMs / 1000).catch(() => {});
}

/** Everything in a directory of saved machines, most recently used first. */
export async function listSaved(parent: string): Promise<Stored[]> {
  const stored: Stored[] = [];
  for (const name of await namesIn(parent)) {
    const path = join(parent, name);
    const facts = await stat(path).catch(() => null);
    if (facts === null || !facts.isDirectory()) continue;
    const text = await readFileBounded(join(path, manifestName), manifestBytesMax);
    stored.push({
      name,
      path,
      manifest: text === null ? null : parseManifest(text),
      sizeBytes: await diskBytes(path),
      usedAt: facts.mtime,
    });
  }
  return stored.sort((a, b) => b.usedAt.getTime() - a.usedAt.getTime());
}

/**
 * Removes a saved machine in one step, so that nobody finds half of one. Machines that were started from
 * it keep their own names of its files. False when there was none.
 */
export async function removeSaved(path: string): Promise<boolean> {
  const doomed = `${path}.removed-${randomHex(4)}`;
  try {
    await rename(path, doomed);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw fileError(error, `Directory "${path}" cannot be removed`);
  }
  await rm(doomed, { recursive: true, force: true, maxRetries: 3 });
  return true;
}

/** Removes the least recently used until the rest takes at most `bytesMax`; `keep` stays. */
export async function evict(
  op: Op,
  parent: string,
  bytesMax: number,
  keep: string | null,
): Promise<readonly Stored[]> {
  const removed: Stored[] = [];
  let total = 0;
  for (const each of await listSaved(parent)) {
    op.check();
    const unusable = each.name.includes(".removed-");
    if (!unusable && (each.name === keep || total + each.sizeBytes <= bytesMax)) {
      total += each.sizeBytes;
      continue;
    }
    if (unusable) await rm(each.path, { recursive: true, force: true });
    else await removeSaved(each.path);
    removed.push(each);
  }
  return removed;
}

/** What the files of a directory take on the disk. */
export async function diskBytes(dir: string): Promise<number> {
  let bytes = 0;
  for (const name of await namesIn(dir)) {
    const facts = await lstat(join(dir, name)).catch(() => null);
    bytes += (facts?.blocks ?? 0) * 512;
  }
  return bytes;
}

function broken(reason: string): Found {
  return { kind: "broken", reason };
}
