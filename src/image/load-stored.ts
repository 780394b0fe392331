import { open } from "node:fs/promises";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { fileError } from "../host/file-error.ts";
import { type ImageConfig, parseImageConfig } from "./image-config.ts";
import type { LayerBlob, LayerCompression } from "./layer.ts";
import { parseManifest } from "./manifest.ts";
import type { ImageStore } from "./store.ts";

/** The content of a stored image, without the name it was asked for by. */
export interface StoredContent {
  readonly digest: string;
  readonly configDigest: string;
  readonly architecture: string;
  readonly config: ImageConfig;
  readonly layers: readonly LayerBlob[];
}

/** Reads an image by its manifest's digest; null when any part of it is not in the store. */
export async function loadStored(
  op: Op,
  store: ImageStore,
  digest: string,
): Promise<StoredContent | null> {
  const what = `Stored image "${digest}"`;
  const bytes = await store.blobs.read(digest, limits.image.manifestBytesMax);
  if (bytes === null) return null;
  const manifest = parseManifest(bytes, null, what);
  if (manifest.kind !== "manifest") return null;
  const configBytes = await store.blobs.read(manifest.config.digest, limits.image.configBytesMax);
  if (configBytes === null) return null;
  const { config, diffIds, architecture } = parseImageConfig(configBytes, what);
  const layers: LayerBlob[] = [];
  for (const [index, layer] of manifest.layers.entries()) {
    op.check();
    if (!(await store.blobs.has(layer.digest, layer.size))) return null;
    const path = store.blobs.path(layer.digest);
    layers.push({
      digest: layer.digest,
      diffId: diffIds[index] ?? "",
      mediaType: layer.mediaType,
      compression: await compressionOf(path),
      size: layer.size,
      path,
    });
  }
  return { digest, configDigest: manifest.config.digest, architecture, config, layers };
}

/** The first bytes tell; media types are known to lie about compression. */
async function compressionOf(path: string): Promise<LayerCompression> {
  try {
    const file = await open(path, "r");
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
      if (bytesRead >= 2 && buffer[0] === 0x1f && buffer[1] === 0x8b) return "gzip";
      if (bytesRead === 4 && isZstd(buffer)) return "zstd";
      return "none";
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, `File "${path}" cannot be read`);
  }
}

/** A zstd frame, or one of the skippable frames that may come first. */
function isZstd(head: Buffer): boolean {
  const magic = head.readUInt32LE(0);
  return magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50;
}
