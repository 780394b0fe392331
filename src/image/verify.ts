import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { errnoOf } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { fileError } from "../host/file-error.ts";
import type { ImageStore } from "./store.ts";

/** What reading every blob again found. */
export interface VerifiedImages {
  readonly checked: number;
  /** Digests of blobs that were not what their names said, and are gone now. */
  readonly removed: readonly string[];
}

/**
 * Reads every blob of a store and removes those that are not themselves, so that whoever wants one fetches it
 * anew. For stores that were somewhere else meanwhile; a pull verifies what it writes.
 */
export async function verifyImages(op: Op, store: ImageStore): Promise<VerifiedImages> {
  const removed: string[] = [];
  let checked = 0;
  for (const digest of await store.blobs.list()) {
    op.check();
    const actual = await digestOf(op, store.blobs.path(digest));
    if (actual === null) continue;
    checked += 1;
    if (actual === digest) continue;
    await store.blobs.remove(digest);
    removed.push(digest);
  }
  return { checked, removed };
}

/** Null when the file has gone meanwhile. */
async function digestOf(op: Op, path: string): Promise<string | null> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { signal: op.signal })) hash.update(chunk);
  } catch (error) {
    op.check();
    if (errnoOf(error) === "ENOENT") return null;
    throw fileError(error, `Blob "${path}" cannot be read`);
  }
  return `sha256:${hash.digest("hex")}`;
}
