import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../base/errors.ts";

/** Directories below one root, each made by us or seen to be a real one, never a link to one. */
export class HostDirectories {
  readonly #root: string;
  readonly #known = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Makes the directory and what is missing above it; ours are always usable by their owner and never
   * writable by others. Returns why it cannot be, when something else is in the way.
   */
  async ensure(components: readonly string[], mode: number): Promise<string | null> {
    const wanted = components.join("/");
    if (wanted === "" || this.#known.has(wanted)) return null;
    for (let depth = 1; depth <= components.length; depth++) {
      const relative = components.slice(0, depth).join("/");
      if (this.#known.has(relative)) continue;
      const own = depth === components.length ? (mode & 0o755) | 0o700 : 0o755;
      if (!(await this.#one(join(this.#root, relative), own))) {
        return `Something that is not a directory is in its way at "${relative}"`;
      }
      this.#known.add(relative);
    }
    return null;
  }

  async #one(path: string, mode: number): Promise<boolean> {
    try {
      await mkdir(path, mode);
      return true;
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      return (await lstat(path)).isDirectory();
    }
  }
}
