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
    for (const { depth, relative } of this.#unknown(wanted, components.length)) {
      const own = depth === components.length ? (mode & 0o755) | 0o700 : 0o755;
      if (!(await this.#one(join(this.#root, relative), own))) {
        return `Something that is not a directory is in its way at "${relative}"`;
      }
      this.#known.add(relative);
    }
    return null;
  }

  /**
   * The path and those above it that have not been seen, the uppermost first. Looked for from below: a guest can make
   * thousands of directories in a directory that is thousands deep.
   */
  #unknown(path: string, depth: number): { readonly depth: number; readonly relative: string }[] {
    const unknown: { depth: number; relative: string }[] = [];
    let relative = path;
    for (let at = depth; at > 0 && !this.#known.has(relative); at--) {
      unknown.unshift({ depth: at, relative });
      relative = relative.slice(0, Math.max(0, relative.lastIndexOf("/")));
    }
    return unknown;
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
