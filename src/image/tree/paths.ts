import { limits } from "../../base/limits.ts";
import { fileType } from "./inodes.ts";
import type { FileTree } from "./tree.ts";

/** Why a path cannot be used; `hostile` paths try to leave the tree or to exhaust the reader. */
export class PathFault {
  readonly hostile: boolean;
  readonly fault: string;

  constructor(fault: string, hostile: boolean) {
    this.fault = fault;
    this.hostile = hostile;
  }
}

/**
 * Splits a path of an archive into clean components. A leading slash means the root of the tree;
 * `..` is taken lexically and must not lead above the root. Throws `PathFault`.
 */
export function splitPath(path: string): string[] {
  const { pathBytesMax, nameBytesMax } = limits.image;
  if (path.length > pathBytesMax) {
    throw new PathFault(
      `a path of ${path.length} bytes, at most ${pathBytesMax} are possible`,
      true,
    );
  }
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (parts.pop() === undefined)
        throw new PathFault('a path that leaves the tree by ".."', true);
      continue;
    }
    if (part.length > nameBytesMax) {
      throw new PathFault(
        `a name of ${part.length} bytes, at most ${nameBytesMax} are possible`,
        true,
      );
    }
    parts.push(part);
  }
  return parts;
}

/** Where a directory path leads in the tree: the deepest directory there is, and what is missing. */
export interface ResolvedDirectory {
  readonly directory: number;
  /** Names below `directory` that do not exist, or are no directories. */
  readonly missing: readonly string[];
  /** Depth of the whole path. */
  readonly depth: number;
}

/**
 * Follows the components of a directory path as a process chrooted into the tree would: symbolic
 * links are resolved inside the tree, `..` stops at its root. What does not exist is taken
 * lexically. Throws `PathFault` when links lead in circles or too deep.
 */
export function resolveDirectory(tree: FileTree, parts: readonly string[]): ResolvedDirectory {
  let directory = tree.root;
  let depth = 0;
  let linksLeft = limits.image.linkDepthMax;
  const missing: string[] = [];
  const rest = parts.toReversed();
  for (let part = rest.pop(); part !== undefined; part = rest.pop()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (missing.pop() === undefined) directory = tree.parentDirectoryOf(directory);
      depth = Math.max(0, depth - 1);
      continue;
    }
    const inode = missing.length > 0 ? 0 : tree.inodeOf(tree.lookup(directory, part));
    if (inode !== 0 && tree.inodes.typeOf(inode) === fileType.symlink) {
      if (linksLeft-- === 0) throw new PathFault("a path through too many symbolic links", true);
      const target = linkTargetOf(tree, inode);
      if (target.startsWith("/")) {
        directory = tree.root;
        depth = 0;
      }
      const pieces = target.split("/");
      for (let i = pieces.length - 1; i >= 0; i--) rest.push(pieces[i] ?? "");
      continue;
    }
    if (++depth > limits.image.depthMax) {
      throw new PathFault(`a path more than ${limits.image.depthMax} directories deep`, true);
    }
    if (inode !== 0 && tree.inodes.isDirectory(inode)) directory = inode;
    else missing.push(part);
  }
  return { directory, missing, depth };
}

/** The target of a symbolic link, as a byte string. */
export function linkTargetOf(tree: FileTree, inode: number): string {
  const { location, size } = tree.inodes;
  return tree.bytes.text(location[inode] ?? 0, size[inode] ?? 0);
}
