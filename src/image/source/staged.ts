import { MicroagentError } from "../../base/errors.ts";
import { sha256Of } from "../digest.ts";
import { type Descriptor, mediaTypes } from "../manifest.ts";
import type { Document, ImageSource } from "./source.ts";

/** Files on the store's file system whose digests we computed ourselves, by digest. */
export type StagedFiles = ReadonlyMap<string, { readonly path: string; readonly size: number }>;

/** A source over files that wait in a staging directory: taking a blob moves it. */
export function stagedSource(
  origin: ImageSource["origin"],
  what: string,
  top: Document,
  files: StagedFiles,
  readStaged: (path: string) => Promise<Uint8Array>,
): ImageSource {
  const find = (descriptor: Descriptor) => {
    const file = files.get(descriptor.digest);
    if (file === undefined || file.size !== descriptor.size) {
      const found = file === undefined ? "nothing" : `${file.size} bytes`;
      throw new MicroagentError(
        "image_corrupt",
        `${what} promises blob "${descriptor.digest}" of ${descriptor.size} bytes and holds ${found}`,
      );
    }
    return file;
  };
  return {
    origin,
    what,
    top: async () => top,
    async document(_op, descriptor) {
      const bytes = await readStaged(find(descriptor).path);
      return { bytes, digest: sha256Of(bytes), mediaType: descriptor.mediaType };
    },
    async blob(_op, store, descriptor) {
      if (await store.blobs.has(descriptor.digest, descriptor.size)) return;
      await store.blobs.adopt(find(descriptor).path, descriptor.digest);
    },
  };
}

/** The manifest of an image that came without one; equal parts give an equal digest. */
export function makeManifest(config: Descriptor, layers: readonly Descriptor[]): Document {
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  return { bytes, digest: sha256Of(bytes), mediaType: mediaTypes.ociManifest };
}
