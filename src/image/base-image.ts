import { open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { fileError } from "../host/file-error.ts";
import { ensurePrivateDir } from "../host/state-layout.ts";
import { digestHex } from "./digest.ts";
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
      // Loaded only to build: most runs find the base image built.
      const { buildErofs } = await import("./erofs/build.ts");
      await using staging = await store.staging.open("base");
      const path = join(staging.path, "base.erofs");
      await op.step("erofs", (step) =>
        buildErofs(step, image.layers, path, { seedDigest: image.digest, flushAlong: true }),
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
  const path = basePath(store, digest);
  try {
    const facts = await stat(path);
    return { path, sizeBytes: facts.size, format: "erofs", digest };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw fileError(error, `Base image "${path}" cannot be read`);
  }
}

/** Where the base image of a manifest digest is or would be. */
export function basePath(store: ImageStore, digest: string): string {
  return join(store.basesDir, `${digestHex(digest)}.v${builderVersion}.erofs`);
}

/** A name means whole bytes, also after a power cut: they are on the disk before it appears. */
async function publish(store: ImageStore, built: string, digest: string): Promise<void> {
  await ensurePrivateDir(store.basesDir);
  const path = basePath(store, digest);
  try {
    const file = await open(built, "r+");
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(built, path);
  } catch (error) {
    throw fileError(error, `Base image "${path}" cannot be published`);
  }
}
