import type { RawEntry } from "../../../fixtures/raw-tar.ts";
import { sha256, type TreeListing } from "../../../fixtures/tree-listing.ts";

/** One thing a random layer does. Paths have no links on the way: those have tests of their own. */
export type Action =
  | { readonly do: "file"; readonly path: string; readonly data: string; readonly uid: number }
  | { readonly do: "dir"; readonly path: string; readonly mode: number }
  | { readonly do: "link"; readonly path: string; readonly target: string }
  | { readonly do: "whiteout"; readonly path: string }
  | { readonly do: "opaque"; readonly path: string };

export function entryOf(action: Action): RawEntry {
  const slash = action.path.lastIndexOf("/") + 1;
  switch (action.do) {
    case "file":
      return { name: action.path, data: action.data, uid: action.uid };
    case "dir":
      return { name: action.path, type: "5", mode: action.mode };
    case "link":
      return { name: action.path, type: "2", link: action.target };
    case "whiteout":
      return { name: `${action.path.slice(0, slash)}.wh.${action.path.slice(slash)}` };
    case "opaque":
      return { name: `${action.path}/.wh..wh..opq` };
  }
}

/** The obvious implementation over a map of paths; `layers` that it cannot take give null. */
export function naiveTree(layers: readonly (readonly Action[])[]): string[] | null {
  const tree = new Map<string, string>();
  const below = (path: string) => [...tree.keys()].filter((key) => key.startsWith(`${path}/`));
  const erase = (path: string) => {
    for (const key of [path, ...below(path)]) tree.delete(key);
  };
  for (const actions of layers) {
    const touched = new Set<string>();
    for (const action of actions) {
      const { path } = action;
      const parents = path
        .split("/")
        .slice(0, -1)
        .map((_, i, all) => all.slice(0, i + 1).join("/"));
      if (action.do === "whiteout" || action.do === "opaque") {
        if (parents.some((parent) => !isDir(tree.get(parent)))) continue;
        if (action.do === "opaque" && !isDir(tree.get(path))) continue;
        const doomed = action.do === "opaque" ? below(path) : [path, ...below(path)];
        for (const key of doomed) if (!touched.has(key)) tree.delete(key);
        continue;
      }
      for (const parent of parents) {
        if (!tree.has(parent)) tree.set(parent, "dir 755");
        if (!isDir(tree.get(parent))) return null;
        touched.add(parent);
      }
      if (action.do !== "dir" || !isDir(tree.get(path))) erase(path);
      tree.set(path, wordsOf(action));
      touched.add(path);
    }
  }
  return [...tree].map(([path, value]) => `${path}: ${value}`).sort();
}

const isDir = (value: string | undefined): boolean => value?.startsWith("dir") === true;

function wordsOf(action: Action): string {
  switch (action.do) {
    case "file":
      return `file ${action.uid} ${sha256(Buffer.from(action.data))}`;
    case "dir":
      return `dir ${action.mode.toString(8)}`;
    default:
      return `link ${"target" in action ? action.target : ""}`;
  }
}

/** A listing in the words of the model. */
export function inModelWords(listing: TreeListing): string[] {
  const lines: string[] = [];
  for (const [path, file] of listing.files) {
    if (path === "") continue;
    const type = file.mode & 0o170000;
    if (type === 0o040000) lines.push(`${path}: dir ${(file.mode & 0o7777).toString(8)}`);
    else if (file.target !== null) lines.push(`${path}: link ${file.target}`);
    else lines.push(`${path}: file ${file.uid} ${file.sha256}`);
  }
  return lines.sort();
}
