import { mkdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { MicroagentError } from "../../src/index.ts";

/** The host's snapshots, for tests that run elsewhere. */
export class SnapshotFiles {
  readonly #root: string;
  /** Where the host itself said that snapshots belong. */
  readonly #named = new Set<string>();

  /** @param root below it, tests may have any file written that no package and no tool owns */
  constructor(root: string) {
    this.#root = root;
  }

  allow(path: string): void {
    this.#named.add(path);
  }

  /** Answers one call of a worker. `invalid_argument` for paths that are none of its business. */
  async answer(name: string, args: readonly unknown[]): Promise<unknown> {
    const [path, text] = args;
    if (typeof path !== "string") throw unknownCall(name);
    await this.#check(path);
    switch (name) {
      case "readSnapshot":
        return await readFile(path, "utf8").catch(() => null);
      case "saveSnapshot":
        if (typeof text !== "string") throw unknownCall(name);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, text);
        return null;
      case "removeSnapshot":
        await rm(path, { force: true });
        return null;
      default:
        throw unknownCall(name);
    }
  }

  async #check(path: string): Promise<void> {
    if (this.#named.has(path)) return;
    const root = await realpath(this.#root);
    const real = await realOf(path);
    const inside = real.startsWith(`${root}${sep}`) ? real.slice(root.length + 1).split(sep) : [];
    const isOwned = inside.some((part) => part === "node_modules" || part.startsWith("."));
    if (inside.length > 0 && !isOwned) return;
    throw new MicroagentError(
      "invalid_argument",
      `File "${path}" is no place for a snapshot, wanted one below "${this.#root}"`,
    );
  }
}

/** The path without links, also when its last parts are not there yet. */
async function realOf(path: string): Promise<string> {
  const found = await realpath(path).catch(() => null);
  if (found !== null || dirname(path) === path) return found ?? path;
  return join(await realOf(dirname(path)), basename(path));
}

function unknownCall(name: string): MicroagentError {
  return new MicroagentError("protocol_violation", `Call "${name}" of a worker is unknown`);
}
