import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, MicroagentError } from "../../base/errors.ts";
import { fileError } from "../../host/file-error.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { ensurePrivateDir } from "../../host/state-layout.ts";
import { digestHex, isSha256Digest, sha256Of } from "../digest.ts";

/** Files named by the digest of their content; a name that exists is complete and was verified. */
export class Blobs {
  readonly dir: string;

  constructor(root: string) {
    this.dir = join(root, "blobs", "sha256");
  }

  path(digest: string): string {
    return join(this.dir, digestHex(digest));
  }

  /** Whether the blob is there in its full size; a shorter one is what a power cut left. */
  async has(digest: string, size: number): Promise<boolean> {
    return (await this.sizeOf(digest)) === size;
  }

  /** Bytes on disk, null when there is no such blob. */
  async sizeOf(digest: string): Promise<number | null> {
    try {
      const facts = await stat(this.path(digest));
      return facts.isFile() ? facts.size : null;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return null;
      throw fileError(error, `Blob "${digest}" cannot be read`);
    }
  }

  /** A small blob, verified once more; null when it is missing, `store_corrupt` when it is not itself. */
  async read(digest: string, bytesMax: number): Promise<Uint8Array | null> {
    const size = await this.sizeOf(digest);
    if (size === null) return null;
    const bytes = size > bytesMax ? null : await readFile(this.path(digest)).catch(() => null);
    if (bytes === null || sha256Of(bytes) !== digest) {
      throw new MicroagentError(
        "store_corrupt",
        `Blob "${digest}" does not hold what its name says`,
        {
          hint: `Remove it and pull the image again: rm ${this.path(digest)}`,
        },
      );
    }
    return bytes;
  }

  /** Stores bytes whose digest the caller has checked. */
  async put(digest: string, bytes: Uint8Array): Promise<void> {
    await ensurePrivateDir(this.dir);
    await writeFileAtomic(this.path(digest), bytes);
  }

  /** Gives a finished, verified file on the same file system its final name. */
  async adopt(path: string, digest: string): Promise<void> {
    await ensurePrivateDir(this.dir);
    try {
      await rename(path, this.path(digest));
    } catch (error) {
      throw fileError(error, `Blob "${digest}" cannot be published`);
    }
  }

  async remove(digest: string): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  /** Every blob of the store, in no order. */
  async list(): Promise<readonly string[]> {
    const names = await readdir(this.dir).catch(() => []);
    return names.map((name) => `sha256:${name}`).filter(isSha256Digest);
  }
}
