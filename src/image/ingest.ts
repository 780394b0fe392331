import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { type GuestArchitecture, ociArchitecture, runsOn } from "./architecture.ts";
import { eachBounded } from "./each-bounded.ts";
import { type ParsedConfig, parseImageConfig } from "./image-config.ts";
import { type Descriptor, type ImageManifest, parseManifest } from "./manifest.ts";
import { choosePlatform } from "./platform.ts";
import { checkPromisedSize } from "./promised-size.ts";
import type { Document, ImageSource } from "./source/source.ts";
import type { ImageStore } from "./store.ts";

/** Indexes within indexes are allowed, loops are not. */
const indexDepthMax = 4;

/**
 * Brings every byte of one platform's image into the store, verified, and returns the manifest's digest. `publish`
 * runs while the bytes are still protected from pruning.
 */
export async function ingest(
  op: Op,
  store: ImageStore,
  source: ImageSource,
  arch: GuestArchitecture,
  publish: (digest: string) => Promise<void>,
): Promise<string> {
  const { document, manifest } = await op.step("manifest", (step) =>
    findManifest(step, source, arch),
  );
  const layers = uniqueLayers(source, manifest);
  await checkPromisedSize(store, source.what, layers);
  const digests = [document.digest, manifest.config.digest, ...layers.map((one) => one.digest)];
  await using _pin = await store.pin(op, digests);

  await op.step("config", async (step) => {
    if (manifest.config.size > limits.image.configBytesMax) {
      throw new MicroagentError(
        "image_corrupt",
        `${source.what} has a configuration of ${manifest.config.size} bytes, at most ${limits.image.configBytesMax} are accepted`,
      );
    }
    await source.blob(step, store, manifest.config);
    const bytes = await store.blobs.read(manifest.config.digest, limits.image.configBytesMax);
    checkConfig(
      source,
      manifest,
      parseImageConfig(bytes ?? new Uint8Array(), `The configuration of ${source.what}`),
      arch,
    );
  });
  await op.step(
    "layers",
    (step) =>
      eachBounded(step, layers, limits.image.parallelLayers, (each, layer) =>
        source.blob(each, store, layer),
      ),
    { timeoutMs: limits.registry.layersMs },
  );
  // Last, so that a manifest in the store means that its image is whole.
  await store.blobs.put(document.digest, document.bytes);
  await publish(document.digest);
  return document.digest;
}

async function findManifest(
  op: Op,
  source: ImageSource,
  arch: GuestArchitecture,
): Promise<{ document: Document; manifest: ImageManifest }> {
  let document = await source.top(op, arch);
  for (let depth = 0; depth <= indexDepthMax; depth++) {
    const parsed = parseManifest(document.bytes, document.mediaType, source.what);
    if (parsed.kind === "manifest") return { document, manifest: parsed };
    const chosen = choosePlatform(parsed, arch, source.what);
    document = await source.document(op, chosen);
  }
  throw new MicroagentError(
    "image_corrupt",
    `${source.what} is an index of indexes more than ${indexDepthMax} deep`,
  );
}

function uniqueLayers(source: ImageSource, manifest: ImageManifest): readonly Descriptor[] {
  const byDigest = new Map<string, Descriptor>();
  for (const layer of manifest.layers) {
    const known = byDigest.get(layer.digest);
    if (known !== undefined && known.size !== layer.size) {
      throw new MicroagentError(
        "image_corrupt",
        `${source.what} promises layer "${layer.digest}" in two sizes`,
      );
    }
    byDigest.set(layer.digest, layer);
  }
  return [...byDigest.values()];
}

function checkConfig(
  source: ImageSource,
  manifest: ImageManifest,
  parsed: ParsedConfig,
  arch: GuestArchitecture,
): void {
  if (parsed.os !== "linux" || (parsed.architecture !== "" && !runsOn(parsed.architecture, arch))) {
    throw new MicroagentError(
      "image_unsupported",
      `${source.what} is for "${parsed.os}/${parsed.architecture}", wanted "linux/${ociArchitecture(arch)}"`,
    );
  }
  if (parsed.diffIds.length !== manifest.layers.length) {
    throw new MicroagentError(
      "image_corrupt",
      `${source.what} has ${manifest.layers.length} layers and a configuration for ${parsed.diffIds.length}`,
    );
  }
}
