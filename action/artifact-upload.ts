import { constants } from "node:fs";
import { copyFile, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface UploadedArtifact {
  readonly name: string;
  readonly id: string;
  readonly digest: string;
}

/** The service refuses names with these, and a guest chooses its files' names. */
const forbidden = /["\\:<>|*?\r\n%]/g;

/**
 * Copies the regular files below `from` to a directory of our own. The uploader follows links, so it never
 * sees a tree that somebody else could have put one into. Names that the service refuses are percent-encoded.
 */
export async function linkFreeCopy(from: string, to: string): Promise<string[]> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { recursive: true, mode: 0o700 });
  const copied: string[] = [];
  const walk = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(from, below), { withFileTypes: true })) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) {
        await walk(path);
      } else if ((await lstat(join(from, path))).isFile()) {
        const target = join(to, encoded(path));
        await mkdir(dirname(target), { recursive: true });
        await copyFile(join(from, path), target, constants.COPYFILE_FICLONE);
        copied.push(target);
      }
    }
  };
  await walk("");
  return copied;
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
