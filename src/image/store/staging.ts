import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileError } from "../../host/file-error.ts";
import { makeTempDir, type TempDir } from "../../host/files.ts";
import {
  identityTag,
  isTaggedByDead,
  livenessOf,
  ownIdentity,
  parseIdentity,
} from "../../host/process-identity.ts";
import { ensurePrivateDir } from "../../host/state-layout.ts";

const ownerFile = ".owner.json";
const ownerlessMs = 60 * 60 * 1000;
const foreignMs = 24 * 60 * 60 * 1000;

/** Directories on the store's file system for work in progress; what is finished moves out by rename. */
export class Staging {
  readonly #dir: string;

  constructor(root: string) {
    this.#dir = join(root, "staging");
  }

  async open(prefix: string): Promise<TempDir> {
    await ensurePrivateDir(this.#dir);
    // Tagged, because a kill before the owner is written must not leave a directory of nobody.
    const dir = await makeTempDir(this.#dir, `${prefix}-${identityTag(ownIdentity())}-`);
    try {
      await writeFile(join(dir.path, ownerFile), JSON.stringify(ownIdentity()), { mode: 0o600 });
    } catch (error) {
      await dir[Symbol.asyncDispose]();
      throw fileError(error, `Directory "${dir.path}" cannot be used`);
    }
    return dir;
  }

  /** Removes the directories that dead processes left; returns how many. */
  async sweep(now: number): Promise<number> {
    let removed = 0;
    for (const name of await readdir(this.#dir).catch(() => [])) {
      const path = join(this.#dir, name);
      const facts = await stat(path).catch(() => null);
      if (facts === null) continue;
      const age = now - facts.mtimeMs;
      const owner = await readOwner(join(path, ownerFile));
      const gone =
        owner === null
          ? isTaggedByDead(name) || age > ownerlessMs
          : owner === "dead" || (owner === "foreign" && age > foreignMs);
      if (!gone) continue;
      await rm(path, { recursive: true, force: true });
      removed++;
    }
    return removed;
  }
}

async function readOwner(path: string): Promise<"alive" | "dead" | "foreign" | null> {
  try {
    const owner = parseIdentity(JSON.parse(await readFile(path, "utf8")));
    return owner === null ? null : livenessOf(owner);
  } catch {
    return null;
  }
}
