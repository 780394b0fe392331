import { mkdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { MicroagentError } from "../../src/index.ts";

/** The host's snapshots, for tests that run elsewhere. */
export class SnapshotFiles {
  readonly #root: string;
  /** Ids of requests that ask where snapshots belong. */
  readonly #asked = new Set<unknown>();
  /** Where the host itself said that they do, wherever that is. */
  readonly #named = new Set<string>();

  /** @param root below it, tests may have any file written that no package and no tool owns */
  constructor(root: string) {
    this.#root = root;
  }

  /** A message of the worker: it may ask where snapshots belong. */
  hear(message: unknown): void {
    const { t: type, m: method, i: id } = (message ?? {}) as Readonly<Record<string, unknown>>;
    if (type === "q" && method === "resolveSnapshotPath") this.#asked.add(id);
  }

  /** A message to the worker: it may say where. */
  tell(message: unknown): void {
    const { t: type, i: id, r: path } = (message ?? {}) as Readonly<Record<string, unknown>>;
    if (type !== "s" || !this.#asked.delete(id)) return;
    if (typeof path === "string") this.#named.add(path);
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
