import { readFile } from "node:fs/promises";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { digestHex, isSha256Digest, sha256Of } from "../digest.ts";
import type { Descriptor } from "../manifest.ts";
import { chooseEntry } from "./layout.ts";
import type { Document, ImageSource } from "./source.ts";
import { type StagedArchive, type StagedFile, stagedFile } from "./stage-archive.ts";
import { type StagedFiles, stagedSource } from "./staged.ts";

const blobPattern = /^blobs\/sha256\/([0-9a-f]{64})$/;

/** The files of an OCI archive that an image is made of. */
export function isOciArchiveFile(name: string): boolean {
  return name === "index.json" || name === "oci-layout" || blobPattern.test(name);
}

/** An OCI image layout in a tar file. */
export async function ociArchiveSource(
  archive: StagedArchive,
  tag: string | null,
  what: string,
): Promise<ImageSource> {
  const files = verifiedBlobs(archive, what);
  const index = await readSmall(stagedFile(archive, "index.json"), what, "index.json");
  const entry = chooseEntry(index, tag, null, what);
  const read = (file: StagedFile | null, name: string) => readSmall(file, what, name);
  const top: Document =
    entry === null
      ? {
          bytes: index,
          digest: sha256Of(index),
          mediaType: "application/vnd.oci.image.index.v1+json",
        }
      : await topDocument(archive, entry, read);
  return stagedSource("local-layout", what, top, files, (path) => readFile(path));
}

/** Reads a file that fits in memory by its kind; `image_corrupt` when it is missing or too large. */
export async function readSmall(
  file: StagedFile | null,
  what: string,
  name: string,
): Promise<Uint8Array> {
  if (file === null) {
    throw new MicroagentError("image_corrupt", `${what} has no "${name}"`, {
      hint: "An OCI layout has index.json (oci-archive:), the format of docker save manifest.json (docker-archive:)",
    });
  }
  if (file.size > limits.image.configBytesMax) {
    throw new MicroagentError("image_corrupt", `${what} has a "${name}" of ${file.size} bytes`);
  }
  return await readFile(file.path);
}

async function topDocument(
  archive: StagedArchive,
  entry: Descriptor,
  read: (file: StagedFile | null, name: string) => Promise<Uint8Array>,
): Promise<Document> {
  const name = `blobs/sha256/${digestHex(entry.digest)}`;
  const bytes = await read(stagedFile(archive, name), name);
  return { bytes, digest: entry.digest, mediaType: entry.mediaType };
}

function verifiedBlobs(archive: StagedArchive, what: string): StagedFiles {
  const files = new Map<string, StagedFile>();
  for (const [name, file] of archive.files) {
    const digest = `sha256:${blobPattern.exec(name)?.[1] ?? ""}`;
    if (!isSha256Digest(digest)) continue;
    if (digest !== file.digest) {
      throw new MicroagentError(
        "image_digest_mismatch",
        `${what} holds "${file.digest}" under the name of "${digest}"`,
      );
    }
    files.set(digest, file);
  }
  return files;
}
