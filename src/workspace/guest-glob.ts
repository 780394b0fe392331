import type { TreeEntry } from "../agent/tree.ts";
import { isMicroagentError, MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import type { ReachableGuest } from "./reachable-guest.ts";

const entriesMax = 100_000;

/**
 * Paths that match a pattern with `*`, `?`, `[abc]` in a name and `**` for any directories, in byte order.
 * Links to directories are not followed by `**`. A directory that cannot be listed holds nothing.
 */
export async function globGuest(
  op: Op,
  workspace: ReachableGuest,
  pattern: string,
): Promise<readonly string[]> {
  if (!pattern.startsWith("/")) throw unfit(pattern, 'does not begin with "/"');
  const steps = pattern
    .split("/")
    .filter((part) => part !== "")
    .map((part) => (part === "**" ? null : nameMatcher(pattern, part)));
  const search = new Search(op, workspace, pattern);
  await search.walk("", steps);
  return [...search.found].sort();
}

/** Whether a name fits a part of the pattern. */
type NameMatcher = (name: string) => boolean;

class Search {
  readonly found = new Set<string>();
  readonly #op: Op;
  readonly #workspace: ReachableGuest;
  readonly #pattern: string;
  #seen = 0;

  constructor(op: Op, workspace: ReachableGuest, pattern: string) {
    this.#op = op;
    this.#workspace = workspace;
    this.#pattern = pattern;
  }

  /** Takes the parts of the pattern one by one; null stands for any directories. */
  async walk(dir: string, [matches, ...rest]: readonly (NameMatcher | null)[]): Promise<void> {
    if (matches === undefined) return;
    if (matches === null) await this.walk(dir, rest);
    for (const { path: name, type } of await this.#list(dir)) {
      const path = `${dir}/${name}`;
      if (matches === null) {
        if (type === "dir" && !name.startsWith(".")) await this.walk(path, [matches, ...rest]);
      } else if (matches(name)) {
        if (rest.length === 0) this.found.add(path);
        else if (type === "dir" || type === "symlink") await this.walk(path, rest);
      }
    }
  }

  async #list(dir: string): Promise<readonly TreeEntry[]> {
    const listing = this.#workspace.agent.readdir(this.#op, dir === "" ? "/" : dir);
    const entries = await this.#workspace.explaining("looking for files", listing).catch(nothing);
    this.#seen += entries.length;
    if (this.#seen > entriesMax) {
      throw unfit(this.#pattern, `looks at more than ${entriesMax} files`);
    }
    return entries;
  }
}

/** What the guest refuses to list holds nothing; a guest that is gone has not been searched. */
function nothing(error: unknown): readonly TreeEntry[] {
  const isRefused =
    isMicroagentError(error) && ["guest_file_not_found", "guest_refused"].includes(error.code);
  if (isRefused) return [];
  throw error;
}

function nameMatcher(pattern: string, part: string): NameMatcher {
  const source = part.replace(/\[[^\]/]+\]|[*?]|[^*?[]+|\[/g, (piece) => {
    if (piece === "*") return "[^/]*";
    if (piece === "?") return "[^/]";
    if (piece.length > 2 && piece.startsWith("[")) {
      return piece.replace("[!", "[^").replaceAll("\\", "\\\\");
    }
    return piece.replace(/[.+^${}()|\\[\]]/g, "\\$&");
  });
  let names: RegExp;
  try {
    names = new RegExp(`^${source}$`, "s");
  } catch {
    throw unfit(pattern, `holds "${part}", which has a range that goes backwards`);
  }
  return (name) => names.test(name) && (part.startsWith(".") || !name.startsWith("."));
}

function unfit(pattern: string, why: string): MicroagentError {
  return new MicroagentError("invalid_argument", `Pattern "${pattern}" ${why}`);
}
