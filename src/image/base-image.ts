import { open, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { errnoOf, MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { hostEnvironment } from "../host/environment.ts";
import { fileError } from "../host/file-error.ts";
import { writeFileAtomic } from "../host/files.ts";
import { ensurePrivateDir } from "../host/state-layout.ts";
import { digestHex } from "./digest.ts";
import { buildErofs } from "./erofs/build.ts";
import { loadStored } from "./load-stored.ts";
import type { ImageStore } from "./store.ts";
import type { StoredImage } from "./stored-image.ts";

/** The read-only disk every workspace of an image shares; never written after it was published. */
export interface BaseImage {
  readonly path: string;
  readonly sizeBytes: number;
  readonly format: "erofs";
  /** Digest of the image manifest it was built from. */
  readonly digest: string;
}

/** Part of the file's name: raise it when the builder's output changes for the same layers. */
const builderVersion = 1;

/**
 * The base image of a stored image, built once across processes and found by digest ever after.
 * `image_not_found` when the image was removed meanwhile.
 */
export async function ensureBaseImage(
  op: Op,
  store: ImageStore,
  image: Pick<StoredImage, "digest" | "layers" | "reference">,
): Promise<BaseImage> {
  const found = await findBaseImage(store, image.digest);
  if (found !== null) return found;
  return await store.lock(
    op,
    `base-${digestHex(image.digest)}`,
    async () => {
      const published = await findBaseImage(store, image.digest);
      if (published !== null) return published;
      await using _pin = await store.pin(op, [
        image.digest,
        ...image.layers.map((layer) => layer.digest),
      ]);
      if ((await loadStored(op, store, image.digest)) === null) {
        throw new MicroagentError(
          "image_not_found",
          `Image "${image.reference}" was removed from the store while it was needed`,
          { hint: `Pull it again: microagent image pull ${image.reference}` },
        );
      }
      await using staging = await store.staging.open("base");
      const path = join(staging.path, "base.erofs");
      await op.step("erofs", (step) =>
        buildErofs(step, image.layers, path, { seedDigest: image.digest }),
      );
      await publish(store, path, image.digest);
      const built = await findBaseImage(store, image.digest);
      if (built === null) {
        throw new MicroagentError(
          "store_corrupt",
          "A base image vanished right after it was built",
        );
      }
      return built;
    },
    "Waiting for another build of the same base image",
  );
}

/** The base image of a manifest digest, null when it has not been built. */
export async function findBaseImage(store: ImageStore, digest: string): Promise<BaseImage | null> {
  const { path, record } = basePaths(store, digest);
  const [published, facts] = await Promise.all([readRecord(record), sizeOf(path)]);
  if (published === null || published.size !== facts) return null;
  // Unsynced bytes are whole as long as nobody pulled the plug.
  if (!published.synced && published.bootId !== hostEnvironment.bootId) return null;
  if (!published.synced) void settle(path, record, published);
  return { path, sizeBytes: facts, format: "erofs", digest };
}

/** Where the base image of a manifest digest is or would be, and the record that makes it valid. */
export function basePaths(store: ImageStore, digest: string): { path: string; record: string } {
  const path = join(store.basesDir, `${digestHex(digest)}.v${builderVersion}.erofs`);
  return { path, record: `${path}.json` };
}

/** Publishes without waiting for the disk: the record says that the bytes are not synced yet. */
async function publish(store: ImageStore, built: string, digest: string): Promise<void> {
  await ensurePrivateDir(store.basesDir);
  const { path, record } = basePaths(store, digest);
  try {
    const { size } = await stat(built);
    await rename(built, path);
    const published: BaseRecord = { size, synced: false, bootId: hostEnvironment.bootId };
    await writeFileAtomic(record, JSON.stringify(published));
  } catch (error) {
    throw fileError(error, `Base image "${path}" cannot be published`);
  }
}

/** Brings the bytes to the disk and says so; a failure only means that a later user tries again. */
async function settle(path: string, record: string, published: BaseRecord): Promise<void> {
  try {
    const file = await open(path, "r");
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
    // Pruned meanwhile: a record without its image would only be litter.
    if ((await sizeOf(path)) === published.size) {
      await writeFileAtomic(record, JSON.stringify({ ...published, synced: true }));
    }
  } catch {
    // The record stays as it was.
  }
}

const recordSchema = z.object({
  size: z.number(),
  synced: z.boolean(),
  bootId: z.string().nullable(),
});

type BaseRecord = z.infer<typeof recordSchema>;

async function readRecord(path: string): Promise<BaseRecord | null> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    // No record or an unreadable one: the image is built again.
    return null;
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return -1;
    throw fileError(error, `Base image "${path}" cannot be read`);
  }
}
