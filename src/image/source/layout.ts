import { createReadStream } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, isMicroagentError, MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { digestHex, sha256Of } from "../digest.ts";
import { type Descriptor, type PlatformDescriptor, parseManifest } from "../manifest.ts";
import { receiveBlob } from "../receive-blob.ts";
import type { LayoutReference } from "../reference/kinds.ts";
import type { Document, ImageSource } from "./source.ts";

const refNameKey = "org.opencontainers.image.ref.name";

/** An OCI image layout in a directory. Its files are copied into the store, verified on the way. */
export function layoutSource(reference: LayoutReference): ImageSource {
  const { path } = reference;
  const what = `Image layout "${path}"`;
  return {
    origin: "local-layout",
    what,
    async top(op) {
      op.check();
      await checkLayout(path, what);
      const index = await readBounded(join(path, "index.json"), what);
      const { tag, digest } = reference;
      const unlisted = tag === null && digest !== null ? await unlistedBlob(path, digest) : null;
      // An index lists what is in it, not what is in the indexes below: a digest may name those too.
      const entry = unlisted ?? chooseEntry(index, tag, digest, what);
      // Without a tag the index itself is asked: it may list one image per platform.
      return entry === null ? indexDocument(index) : await readDocument(path, entry, what);
    },
    document: (_op, descriptor) => readDocument(path, descriptor, what),
    blob: (op, store, descriptor) =>
      receiveBlob(op, store, descriptor, {
        open: async (_op, blob, offset) => ({
          offset,
          bytes: readFrom(blobPath(path, blob), offset, what),
        }),
        recover: async (_op, _blob, error) => {
          throw error;
        },
      }),
  };
}

/**
 * The entry of an `index.json` with this tag or digest; null, meaning the whole index, when neither is given and the
 * entries differ by platform only. `image_not_found` lists the tags there are.
 */
export function chooseEntry(
  index: Uint8Array,
  tag: string | null,
  digest: string | null,
  what: string,
): Descriptor | null {
  const parsed = parseManifest(index, "application/vnd.oci.image.index.v1+json", what);
  const entries = parsed.kind === "index" ? parsed.manifests : [];
  const tags = [...new Set(entries.map(refName).filter((name) => name !== null))];
  if (tag === null && digest === null) {
    if (entries.length === 1) return entries[0] ?? null;
    if (tags.length <= 1 && entries.some((entry) => entry.architecture !== null)) return null;
    throw new MicroagentError(
      "image_not_found",
      `${what} holds ${entries.length} images, and the reference does not say which`,
      { hint: tagHint(tags), details: { tags } },
    );
  }
  const fitting = entries.filter(
    (entry) =>
      (digest === null || entry.digest === digest) && (tag === null || refName(entry) === tag),
  );
  const found = fitting[0];
  if (found === undefined) {
    throw new MicroagentError("image_not_found", `${what} has no image "${tag ?? digest}"`, {
      hint: tagHint(tags),
      details: { tags },
    });
  }
  if (fitting.some((entry) => entry.digest !== found.digest)) {
    throw new MicroagentError("image_corrupt", `${what} names two images "${tag ?? digest}"`, {
      hint: "Name one of them by its digest: oci:PATH@sha256:...",
    });
  }
  return found;
}

function tagHint(tags: readonly string[]): string {
  return tags.length === 0
    ? "Name it by its digest: oci:PATH@sha256:..."
    : `It has the tags: ${tags.slice(0, 20).join(" ")}`;
}

function refName(entry: PlatformDescriptor): string | null {
  return entry.annotations[refNameKey] ?? null;
}

function indexDocument(bytes: Uint8Array): Document {
  return { bytes, digest: sha256Of(bytes), mediaType: "application/vnd.oci.image.index.v1+json" };
}

async function unlistedBlob(path: string, digest: string): Promise<Descriptor | null> {
  const facts = await stat(blobPath(path, { digest })).catch(() => null);
  return facts === null ? null : { mediaType: "", digest, size: facts.size };
}

async function checkLayout(path: string, what: string): Promise<void> {
  const facts = await stat(path).catch(() => null);
  if (facts === null) {
    throw new MicroagentError("image_not_found", `${what} does not exist`);
  }
  if (facts.isFile()) {
    throw new MicroagentError("image_corrupt", `${what} is a file, wanted a directory`, {
      hint: `For an archive write oci-archive:${path} or docker-archive:${path}`,
    });
  }
  await readBounded(join(path, "oci-layout"), what);
}

async function readDocument(path: string, descriptor: Descriptor, what: string): Promise<Document> {
  if (descriptor.size > limits.image.manifestBytesMax) {
    throw new MicroagentError(
      "image_corrupt",
      `${what} has a manifest of ${descriptor.size} bytes, at most ${limits.image.manifestBytesMax} are accepted`,
    );
  }
  const bytes = await readBounded(blobPath(path, descriptor), what);
  const digest = sha256Of(bytes);
  if (digest !== descriptor.digest || bytes.length !== descriptor.size) {
    throw new MicroagentError(
      "image_digest_mismatch",
      `${what} promises manifest "${descriptor.digest}" and holds "${digest}" in its place`,
    );
  }
  return { bytes, digest, mediaType: descriptor.mediaType };
}

async function readBounded(path: string, what: string): Promise<Uint8Array> {
  try {
    const file = await open(path, "r");
    try {
      const facts = await file.stat();
      if (!facts.isFile() || facts.size > limits.image.manifestBytesMax) {
        throw new MicroagentError("image_corrupt", `${what} has no usable file "${path}"`);
      }
      return await readFile(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw layoutError(error, path, what);
  }
}

async function* readFrom(path: string, start: number, what: string): AsyncGenerator<Uint8Array> {
  try {
    // A pipe or a device under a blob's name would keep us reading for ever.
    if (!(await stat(path)).isFile()) {
      throw new MicroagentError("image_corrupt", `${what} has no regular file "${path}"`);
    }
    for await (const chunk of createReadStream(path, { start, highWaterMark: 1024 * 1024 })) {
      yield chunk as Uint8Array;
    }
  } catch (error) {
    throw layoutError(error, path, what);
  }
}

function layoutError(error: unknown, path: string, what: string): MicroagentError {
  if (isMicroagentError(error)) return error;
  const errno = errnoOf(error) ?? "unknown";
  return new MicroagentError("image_corrupt", `${what} has no readable file "${path}" (${errno})`, {
    cause: error,
    hint: errno === "ENOENT" ? "Check that the path is an OCI image layout" : undefined,
  });
}

function blobPath(path: string, descriptor: Pick<Descriptor, "digest">): string {
  return join(path, "blobs", "sha256", digestHex(descriptor.digest));
}
