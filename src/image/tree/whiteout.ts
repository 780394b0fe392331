import type { FileTree } from "./tree.ts";

export const whiteoutPrefix = ".wh.";
export const opaqueName = ".wh..wh..opq";

/**
 * Removes a path for a whiteout of `layer`: everything but what that layer itself brought, wherever
 * in the archive the whiteout stands.
 */
export function whiteOut(tree: FileTree, dirent: number, layer: number): void {
  if (!tree.isTouched(dirent, layer)) {
    tree.remove(dirent);
    return;
  }
  const inode = tree.inodeOf(dirent);
  if (tree.inodes.isDirectory(inode)) whiteOutChildren(tree, inode, layer);
}

/** The same for an opaque directory: its children go, it stays. */
export function whiteOutChildren(tree: FileTree, directory: number, layer: number): void {
  const pending = [directory];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (let child = tree.firstChildOf(at); child !== 0; ) {
      const next = tree.nextOf(child);
      const inode = tree.inodeOf(child);
      if (!tree.isTouched(child, layer)) tree.remove(child);
      else if (tree.inodes.isDirectory(inode)) pending.push(inode);
      child = next;
    }
  }
}
