import { stat } from "node:fs/promises";
import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { ArchiveReference } from "../reference/kinds.ts";
import { dockerArchiveSource, isDockerArchiveFile } from "./docker-archive.ts";
import { isOciArchiveFile, ociArchiveSource } from "./oci-archive.ts";
import type { ImageSource } from "./source.ts";
import { stageArchive } from "./stage-archive.ts";

/** Opens an archive by unpacking what it needs into `stagingDir`, digests computed on the way. */
export async function openArchive(
  op: Op,
  reference: ArchiveReference,
  stagingDir: string,
): Promise<ImageSource> {
  const { path, tag, transport } = reference;
  const what = `Image archive "${path}"`;
  const wanted = transport === "oci-archive" ? isOciArchiveFile : isDockerArchiveFile;
  const archive = await op.step("archive", (step) =>
    stageArchive(step, path, stagingDir, what, wanted),
  );
  return transport === "oci-archive"
    ? await ociArchiveSource(archive, tag, what)
    : await dockerArchiveSource(archive, tag, what);
}

/** Size, change time and inode of an archive file: another stamp means another content. */
export async function archiveStamp(path: string): Promise<string> {
  const facts = await stat(path, { bigint: true }).catch((error: unknown) => {
    throw new MicroagentError("image_not_found", `Image archive "${path}" does not exist`, {
      cause: error,
    });
  });
  if (!facts.isFile()) {
    throw new MicroagentError("image_corrupt", `Image archive "${path}" is not a regular file`, {
      hint: `For a directory write oci:${path}`,
    });
  }
  return `${facts.size}:${facts.mtimeNs}:${facts.ctimeNs}:${facts.ino}`;
}
