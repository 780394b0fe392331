import { limits } from "../base/limits.ts";
import type { TreeEntry } from "./tree.ts";

const componentBytesMax = 255;

/**
 * Why a guest's entry path must not become a host path, null when it may. Only plain relative paths
 * pass: everything that could leave the tree, confuse a terminal or not be written in JSON is refused.
 */
export function pathRefusal(entry: Pick<TreeEntry, "path" | "pathBytes">): string | null {
  const { path } = entry;
  if (entry.pathBytes !== null) return "The name is not UTF-8";
  if (path === "") return null;
  if (Buffer.byteLength(path) > limits.outputs.pathBytesMax) return "The path is too long";
  if (path.startsWith("/")) return "The path is absolute";
  if (control.test(path)) return "The name has a control character";
  if (path.includes("\\")) return "The name has a backslash";
  for (const component of path.split("/")) {
    if (component === "") return "The path has an empty component";
    if (component === "." || component === "..") return `The path has a "${component}" component`;
    if (Buffer.byteLength(component) > componentBytesMax) return "The name is too long";
  }
  return null;
}

// Format controls too: a right-to-left override makes one name look like another.
const control = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** Whether a directory could hold an entry of this name: lists are joined to paths by whoever asked for them. */
export function isEntryName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);
}
