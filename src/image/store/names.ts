import { readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { errnoOf, MicroagentError } from "../../base/errors.ts";
import { jsonOrNull } from "../../base/json.ts";
import { fileError } from "../../host/file-error.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { ensurePrivateDir } from "../../host/state-layout.ts";
import type { GuestArchitecture } from "../architecture.ts";
import { digestHex, isSha256Digest, sha256Of } from "../digest.ts";

const schema = z.object({
  v: z.literal(1),
  reference: z.string(),
  resolvedRef: z.string(),
  arch: z.enum(["x86_64", "aarch64"]),
  digest: z.string().refine(isSha256Digest),
  origin: z.enum(["registry", "local-layout", "mmdebstrap", "tag"]),
  stamp: z.string().nullable(),
  fetchedAt: z.number(),
});

/** What a name means in this store; the manifest itself is a blob. */
export type NameRecord = Readonly<z.infer<typeof schema>> & { readonly lastUsedAt: Date };

/** What a record is made of; `fetchedAt` in milliseconds, `stamp` tells a changed archive file. */
export type NewName = Omit<NameRecord, "v" | "lastUsedAt">;

/** Name records: one small file each, so that two processes never rewrite each other's. */
export class Names {
  readonly dir: string;

  constructor(root: string) {
    this.dir = join(root, "names");
  }

  /** Null when the name is not known; `store_corrupt` when its file cannot be read. */
  async get(reference: string, arch: GuestArchitecture): Promise<NameRecord | null> {
    const record = await this.#read(this.#path(reference, arch));
    return record?.reference === reference && record.arch === arch ? record : null;
  }

  async put(record: NewName): Promise<void> {
    await ensurePrivateDir(this.dir);
    const body = `${JSON.stringify({ v: 1, ...record }, null, 2)}\n`;
    await writeFileAtomic(this.#path(record.reference, record.arch), body);
  }

  /** Notes that the name was used now: its file's time stamp, which needs no rewriting. */
  async touch(record: NameRecord, now: Date): Promise<void> {
    await utimes(this.#path(record.reference, record.arch), now, now).catch(() => {});
  }

  async remove(record: NameRecord): Promise<void> {
    await rm(this.#path(record.reference, record.arch), { force: true });
  }

  /** All readable records, by reference and architecture; unreadable files are told to `onCorrupt`. */
  async list(onCorrupt: (error: MicroagentError) => void): Promise<readonly NameRecord[]> {
    const records: NameRecord[] = [];
    for (const file of await readdir(this.dir).catch(() => [])) {
      if (!file.endsWith(".json") || file.startsWith(".")) continue;
      try {
        const record = await this.#read(join(this.dir, file));
        if (record !== null) records.push(record);
      } catch (error) {
        if (!(error instanceof MicroagentError)) throw error;
        onCorrupt(error);
      }
    }
    return records.sort((a, b) => order(a.reference, b.reference) || order(a.arch, b.arch));
  }

  async #read(path: string): Promise<NameRecord | null> {
    try {
      const [text, facts] = await Promise.all([readFile(path, "utf8"), stat(path)]);
      const parsed = schema.safeParse(jsonOrNull(text));
      if (parsed.success) return { ...parsed.data, lastUsedAt: facts.mtime };
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return null;
      throw fileError(error, `Image record "${path}" cannot be read`);
    }
    throw new MicroagentError("store_corrupt", `Image record "${path}" is not what it should be`, {
      hint: `Remove it and pull the image again: rm ${path}`,
    });
  }

  #path(reference: string, arch: GuestArchitecture): string {
    return join(this.dir, `${digestHex(sha256Of(`${reference}\n${arch}`))}.json`);
  }
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
