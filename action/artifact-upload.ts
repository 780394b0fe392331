import { constants } from "node:fs";
import { copyFile, link, mkdir, opendir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface UploadedArtifact {
  readonly name: string;
  readonly id: string;
  readonly digest: string;
}

/** The service refuses names with these, and a guest chooses its files' names. */
const forbidden = /["\\:<>|*?\r\n%]/g;

/** Files of one artifact; the service becomes very slow beyond. */
const filesMax = 10_000;

/** What is ready to be uploaded. */
export interface UploadCopy {
  /** Absolute, in `to`. */
  readonly files: readonly string[];
  /** Files that are over the limit. */
  readonly leftOut: number;
}

/**
 * A tree of our own with the regular files below `from`. The uploader follows links, so it never sees a tree that
 * somebody else could have put one into. Names that the service refuses are percent-encoded.
 */
export async function linkFreeCopy(from: string, to: string): Promise<UploadCopy> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { recursive: true, mode: 0o700 });
  const files: string[] = [];
  let leftOut = 0;
  const walk = async (below: string): Promise<void> => {
    let made = false;
    for await (const entry of await opendir(join(from, below))) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) {
        await walk(path);
      } else if (entry.isFile()) {
        if (files.length === filesMax) {
          leftOut += 1;
          continue;
        }
        const target = join(to, encoded(path));
        if (!made) await mkdir(dirname(target), { recursive: true });
        made = true;
        await sameFile(join(from, path), target);
        files.push(target);
      }
    }
  };
  await walk("");
  return { files, leftOut };
}

/** Another name for the file where the file system allows it, so that nothing is on the disk twice. */
async function sameFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}

function encoded(path: string): string {
  return path.replace(
    forbidden,
    (mark) => `%${mark.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`,
  );
}

/** A name that the service takes: unique for this leg of a matrix and this attempt. */
export function artifactName(given: string | null, job: string, workspace: string): string {
  const name = given ?? `microagent-${job}-${workspace}`;
  return encoded(name).replaceAll("/", "-").slice(0, 200);
}

/** Uploads as one artifact; a name that is taken gets a number. */
export async function uploadFiles(
  name: string,
  files: readonly string[],
  root: string,
  retentionDays: number | null,
): Promise<UploadedArtifact> {
  const { default: client } = await import("@actions/artifact");
  const options = retentionDays === null ? {} : { retentionDays };
  for (let attempt = 1; ; attempt += 1) {
    const tried = attempt === 1 ? name : `${name}-${attempt}`;
    try {
      const { id, digest } = await client.uploadArtifact(tried, [...files], root, options);
      return { name: tried, id: id === undefined ? "" : String(id), digest: digest ?? "" };
    } catch (error) {
      const taken = /conflict|already exists/i.test(error instanceof Error ? error.message : "");
      if (!taken || attempt === 5) throw error;
    }
  }
}
