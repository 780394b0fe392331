import { z } from "zod";
import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { isSha256Digest } from "./digest.ts";
import { parseJson, schemaFailure } from "./image-config.ts";

export const mediaTypes = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
} as const;

/** What we ask registries for, best first. */
export const acceptedManifests: string = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerIndex,
  mediaTypes.dockerManifest,
].join(", ");

/** A promise of bytes: their digest and their exact size. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface PlatformDescriptor extends Descriptor {
  readonly os: string | null;
  readonly architecture: string | null;
  readonly variant: string | null;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ImageManifest {
  readonly kind: "manifest";
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface ImageIndex {
  readonly kind: "index";
  readonly manifests: readonly PlatformDescriptor[];
}

const descriptor = z.object({
  mediaType: z.string().max(256),
  digest: z.string().refine(isSha256Digest, "wanted sha256: and 64 lower-case hexadecimal digits"),
  size: z.number().int().nonnegative(),
});

const layer = descriptor.extend({ urls: z.array(z.string()).nullish() });

const manifestSchema = z.object({
  config: descriptor,
  layers: z.array(layer).max(limits.image.layersMax),
});

const indexSchema = z.object({
  manifests: z
    .array(
      descriptor.extend({
        platform: z
          .object({
            os: z.string().nullish(),
            architecture: z.string().nullish(),
            variant: z.string().nullish(),
          })
          .nullish(),
        annotations: z.record(z.string(), z.string()).nullish(),
      }),
    )
    .max(10_000),
});

const declaration = z.object({
  schemaVersion: z.unknown().optional(),
  mediaType: z.string().nullish(),
  config: z.unknown().optional(),
  manifests: z.unknown().optional(),
});

/**
 * Reads an image manifest or an index, of OCI or Docker. `mediaType` is what the sender says it is, null when it
 * said nothing. `image_unsupported` for schema 1 and unknown kinds, `image_corrupt` for broken ones.
 */
export function parseManifest(
  bytes: Uint8Array,
  mediaType: string | null,
  what: string,
): ImageManifest | ImageIndex {
  const json = parseJson(bytes, what);
  const declared = declaration.safeParse(json);
  if (!declared.success) throw schemaFailure(declared.error, what);
  if (declared.data.schemaVersion === 1) throw schemaOne(what);
  if (declared.data.schemaVersion !== 2) {
    throw new MicroagentError("image_corrupt", `${what} has no "schemaVersion": 2`);
  }
  const type = declared.data.mediaType ?? mediaType;
  // A document that says one kind and holds the fields of the other is an old trick on verifiers.
  if (declared.data.config !== undefined && declared.data.manifests !== undefined) {
    throw new MicroagentError("image_corrupt", `${what} is both a manifest and an index`);
  }
  switch (kindOf(type, declared.data.manifests !== undefined)) {
    case "index":
      return parseIndex(json, what);
    case "manifest":
      return parseImageManifest(json, what);
    case "schema1":
      throw schemaOne(what);
    case "unknown":
      throw new MicroagentError("image_unsupported", `${what} is of the unknown type "${type}"`, {
        hint: "Name a container image: this is another kind of artifact",
      });
  }
}

function kindOf(
  type: string | null,
  hasManifests: boolean,
): "index" | "manifest" | "schema1" | "unknown" {
  switch (type?.split(";")[0]?.trim()) {
    case mediaTypes.ociIndex:
    case mediaTypes.dockerIndex:
      return "index";
    case mediaTypes.ociManifest:
    case mediaTypes.dockerManifest:
      return "manifest";
    case "application/vnd.docker.distribution.manifest.v1+json":
    case "application/vnd.docker.distribution.manifest.v1+prettyjws":
      return "schema1";
    // Layouts need not say, and some registries answer with a general type.
    case undefined:
    case "":
    case "application/json":
    case "text/plain":
    case "application/octet-stream":
      return hasManifests ? "index" : "manifest";
    default:
      return "unknown";
  }
}

function parseImageManifest(json: unknown, what: string): ImageManifest {
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) throw schemaFailure(parsed.error, what);
  const { config, layers } = parsed.data;
  if (config.mediaType !== mediaTypes.ociConfig && config.mediaType !== mediaTypes.dockerConfig) {
    throw new MicroagentError(
      "image_unsupported",
      `${what} is no container image: its configuration is of type "${config.mediaType}"`,
    );
  }
  for (const { mediaType } of layers) {
    if (!/\.tar(?:\.gzip|\+gzip|\+zstd|\.zstd)?$/.test(mediaType) || /foreign/.test(mediaType)) {
      throw new MicroagentError(
        "image_unsupported",
        `${what} has a layer of the type "${mediaType}", wanted a tar, plain or in gzip or zstd`,
      );
    }
  }
  return { kind: "manifest", config: plain(config), layers: layers.map(plain) };
}

function parseIndex(json: unknown, what: string): ImageIndex {
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) throw schemaFailure(parsed.error, what);
  return {
    kind: "index",
    manifests: parsed.data.manifests.map((entry) => ({
      ...plain(entry),
      os: entry.platform?.os ?? null,
      architecture: entry.platform?.architecture ?? null,
      variant: entry.platform?.variant ?? null,
      annotations: entry.annotations ?? {},
    })),
  };
}

function plain(entry: Descriptor): Descriptor {
  return { mediaType: entry.mediaType, digest: entry.digest, size: entry.size };
}

function schemaOne(what: string): MicroagentError {
  return new MicroagentError(
    "image_unsupported",
    `${what} is in Docker's schema 1, which has no verifiable configuration; wanted schema 2 or OCI`,
    { hint: "Convert it with: skopeo copy --format oci docker://OLD docker://NEW" },
  );
}
