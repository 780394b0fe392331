import { stat, statfs } from "node:fs/promises";
import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { existingDirOf } from "../host/make-dirs.ts";
import type { Descriptor } from "./manifest.ts";
import type { ImageStore } from "./store.ts";

/**
 * Refuses an image whose manifest promises more than any image has, or more than the disk can take, before a byte of it
 * is fetched: a manifest is a few bytes of a stranger, and its sizes cost him nothing. `image_hostile`, `no_space`.
 */
export async function checkPromisedSize(
  store: ImageStore,
  what: string,
  blobs: readonly Descriptor[],
): Promise<void> {
  const promised = blobs.reduce((sum, { size }) => sum + size, 0);
  const { fetchedBytesMax } = limits.image;
  if (promised > fetchedBytesMax) {
    throw new MicroagentError(
      "image_hostile",
      `${what} promises ${promised} bytes, expected at most ${fetchedBytesMax}`,
    );
  }
  let missing = 0;
  for (const blob of blobs) missing += await missingBytes(store, blob);
  if (missing === 0) return;
  const facts = await statfs(await existingDirOf(store.root));
  const free = facts.bavail * facts.bsize;
  if (missing <= free) return;
  throw new MicroagentError(
    "no_space",
    `${what} needs ${missing} more bytes in "${store.root}", and its disk has ${free}`,
    { hint: "Free some space, for example with: microagent image prune" },
  );
}

/** What is still to be fetched; an earlier try may have left a part. */
async function missingBytes(store: ImageStore, { digest, size }: Descriptor): Promise<number> {
  if (await store.blobs.has(digest, size)) return 0;
  const partial = await stat(store.partialPath(digest)).catch(() => null);
  return Math.max(0, size - (partial?.size ?? 0));
}
