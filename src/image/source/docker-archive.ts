import { open, readFile } from "node:fs/promises";
import { z } from "zod";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { parseJson, schemaFailure } from "../image-config.ts";
import { type Descriptor, mediaTypes } from "../manifest.ts";
import { formatReference, parseReference } from "../reference.ts";
import { readSmall } from "./oci-archive.ts";
import type { ImageSource } from "./source.ts";
import { type StagedArchive, type StagedFile, stagedFile } from "./stage-archive.ts";
import { makeManifest, stagedSource } from "./staged.ts";

const schema = z
  .array(
    z.object({
      Config: z.string().max(4096),
      RepoTags: z.array(z.string()).nullish(),
      Layers: z.array(z.string().max(4096)).max(limits.image.layersMax).nullish(),
    }),
  )
  .max(10_000);

type Item = z.infer<typeof schema>[number];

/** The files of a docker archive that an image is made of. */
export function isDockerArchiveFile(name: string): boolean {
  return /\.(?:json|tar)$/.test(name) || /^blobs\/sha256\/[0-9a-f]{64}$/.test(name);
}

/** The tar file of `docker save`, old or new; layers may be links to each other, as savers write them. */
export async function dockerArchiveSource(
  archive: StagedArchive,
  tag: string | null,
  what: string,
): Promise<ImageSource> {
  const manifest = stagedFile(archive, "manifest.json");
  const parsed = schema.safeParse(
    parseJson(await readSmall(manifest, what, "manifest.json"), `${what}: "manifest.json"`),
  );
  if (!parsed.success) throw schemaFailure(parsed.error, `${what}: "manifest.json"`);
  const item = choose(parsed.data, tag, what);

  const config = need(archive, item.Config, what);
  const layers = (item.Layers ?? []).map((name) => need(archive, name, what));
  const top = makeManifest(
    { mediaType: mediaTypes.dockerConfig, digest: config.digest, size: config.size },
    await Promise.all(layers.map(layerDescriptor)),
  );
  const files = new Map([config, ...layers].map((file) => [file.digest, file]));
  return stagedSource("local-layout", what, top, files, (path) => readFile(path));
}

function choose(items: readonly Item[], tag: string | null, what: string): Item {
  const tags = items.flatMap((item) => item.RepoTags ?? []);
  const only = items[0];
  if (tag === null && items.length === 1 && only !== undefined) return only;
  const found =
    tag === null
      ? undefined
      : items.find((item) => (item.RepoTags ?? []).some((name) => sameName(name, tag)));
  if (found !== undefined) return found;
  throw new MicroagentError(
    "image_not_found",
    tag === null
      ? `${what} holds ${items.length} images, and the reference does not say which`
      : `${what} has no image "${tag}"`,
    { hint: `It has: ${tags.slice(0, 20).join(" ")}`, details: { tags } },
  );
}

/** Savers write short names and full ones; both mean the same. */
function sameName(a: string, b: string): boolean {
  if (a === b) return true;
  try {
    return formatReference(parseReference(a)) === formatReference(parseReference(b));
  } catch {
    return false;
  }
}

function need(archive: StagedArchive, name: string, what: string): StagedFile {
  const file = stagedFile(archive, name);
  if (file !== null) return file;
  throw new MicroagentError("image_corrupt", `${what} names "${name}" and does not hold it`);
}

async function layerDescriptor(file: StagedFile): Promise<Descriptor> {
  const handle = await open(file.path, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    const gzip = bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
    const mediaType = gzip ? `${mediaTypes.ociLayer}+gzip` : mediaTypes.ociLayer;
    return { mediaType, digest: file.digest, size: file.size };
  } finally {
    await handle.close();
  }
}
