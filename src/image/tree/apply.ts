import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { LayerBlob } from "../layer.ts";
import { displayName, type TarEntry, type TarHandler } from "../tar/entry.ts";
import type { UnpackBudget } from "./budget.ts";
import type { DataSink } from "./data-sink.ts";
import { fileType } from "./inodes.ts";
import { PathFault, resolveDirectory, splitPath } from "./paths.ts";
import { storedBlocks } from "./stored-blocks.ts";
import type { FileTree } from "./tree.ts";
import { opaqueName, whiteOut, whiteOutChildren, whiteoutPrefix } from "./whiteout.ts";
import { linuxXattrs, xattrFault } from "./xattr-names.ts";

export interface LayerTarget {
  readonly tree: FileTree;
  readonly sink: DataSink;
  readonly budget: UnpackBudget;
}

/**
 * Applies the entries of one layer to the tree below it, with the semantics of the OCI image
 * specification as container tools read it. Fails with `image_hostile` or `image_corrupt`, naming
 * the layer and the entry.
 */
export class LayerApplier implements TarHandler {
  readonly #tree: FileTree;
  readonly #sink: DataSink;
  readonly #budget: UnpackBudget;
  readonly #blob: LayerBlob;
  /** 1 for the lowest layer. */
  readonly #layer: number;
  #current: TarEntry | null = null;
  #storesData = false;

  constructor(target: LayerTarget, blob: LayerBlob, layerNumber: number) {
    this.#tree = target.tree;
    this.#sink = target.sink;
    this.#budget = target.budget;
    this.#blob = blob;
    this.#layer = layerNumber;
  }

  entry(entry: TarEntry): void {
    this.#current = entry;
    this.#storesData = false;
    this.#budget.takeEntry(this.#blob);
    try {
      this.#apply(entry);
    } catch (error) {
      if (error instanceof PathFault) throw this.#fault(error.fault, error.hostile);
      throw error;
    }
  }

  data(chunk: Uint8Array, start: number, end: number): void {
    if (this.#storesData) this.#sink.write(chunk, start, end);
  }

  entryEnd(): void {
    if (this.#storesData) this.#sink.end();
    this.#current = null;
  }

  #apply(entry: TarEntry): void {
    const parts = splitPath(entry.path);
    const name = parts.pop();
    if (name === undefined) {
      if (entry.kind !== "directory") throw this.#fault("the type of the root changed", true);
      this.#setMetadata(this.#tree.root, entry);
      return;
    }
    if (name.startsWith(whiteoutPrefix)) {
      this.#applyWhiteout(parts, name);
      return;
    }
    const directory = this.#makeDirectories(parts);
    this.#put(directory, name, entry);
  }

  #applyWhiteout(parts: readonly string[], name: string): void {
    const { directory, missing } = resolveDirectory(this.#tree, parts);
    if (missing.length > 0) return;
    if (name === opaqueName) {
      whiteOutChildren(this.#tree, directory, this.#layer);
      return;
    }
    const target = name.slice(whiteoutPrefix.length);
    if (target === "" || target === "." || target === "..") {
      throw this.#fault("a whiteout of no name", true);
    }
    const dirent = this.#tree.lookup(directory, target);
    if (dirent !== 0) whiteOut(this.#tree, dirent, this.#layer);
  }

  /** The directory a path leads to, made where it is missing. */
  #makeDirectories(parts: readonly string[]): number {
    const tree = this.#tree;
    const { directory, missing, depth } = resolveDirectory(tree, parts);
    if (depth >= limits.image.depthMax) {
      throw this.#fault(`a path more than ${limits.image.depthMax} directories deep`, true);
    }
    let at = directory;
    for (const name of missing) {
      if (tree.lookup(at, name) !== 0) throw this.#fault("a parent that is no directory", false);
      if (name.length > limits.image.nameBytesMax) throw this.#fault("an overlong name", true);
      this.#budget.takeEntry(this.#blob);
      const inode = tree.inodes.allocate();
      tree.inodes.mode[inode] = fileType.directory | 0o755;
      tree.link(at, name, inode);
      at = inode;
    }
    return at;
  }

  #put(directory: number, name: string, entry: TarEntry): void {
    const tree = this.#tree;
    let dirent = tree.lookup(directory, name);
    if (dirent !== 0) {
      const stays = entry.kind === "directory" && tree.inodes.isDirectory(tree.inodeOf(dirent));
      if (!stays) {
        tree.remove(dirent);
        dirent = 0;
      }
    }
    if (entry.kind === "hardlink") {
      dirent = tree.link(directory, name, this.#linkTarget(entry));
    } else if (dirent !== 0) {
      this.#setMetadata(tree.inodeOf(dirent), entry);
    } else {
      const inode = tree.inodes.allocate();
      this.#setMetadata(inode, entry);
      this.#setContent(inode, entry);
      dirent = tree.link(directory, name, inode);
    }
    tree.touch(dirent, this.#layer);
  }

  /** A hard link may name a file of this or a lower layer, never one outside the tree. */
  #linkTarget(entry: TarEntry): number {
    const shown = displayName(entry.linkPath);
    let parts: string[];
    try {
      parts = splitPath(entry.linkPath);
    } catch (error) {
      if (!(error instanceof PathFault)) throw error;
      throw this.#fault(`a hard link to "${shown}", ${error.fault}`, error.hostile);
    }
    const name = parts.pop();
    const { directory, missing } = resolveDirectory(this.#tree, parts);
    const dirent =
      name === undefined || missing.length > 0 ? 0 : this.#tree.lookup(directory, name);
    if (dirent === 0) throw this.#fault(`a hard link to "${shown}", which does not exist`, false);
    const inode = this.#tree.inodeOf(dirent);
    if (this.#tree.inodes.isDirectory(inode)) {
      throw this.#fault(`a hard link to the directory "${shown}"`, false);
    }
    return inode;
  }

  #setMetadata(inode: number, entry: TarEntry): void {
    const inodes = this.#tree.inodes;
    inodes.mode[inode] = modeOf(entry);
    inodes.uid[inode] = entry.uid;
    inodes.gid[inode] = entry.gid;
    inodes.mtimeSeconds[inode] = entry.mtimeSeconds;
    inodes.mtimeNanoseconds[inode] = entry.mtimeNanoseconds;
    const xattrs = linuxXattrs(entry.xattrs);
    for (const xattr of xattrs) {
      const fault = xattrFault(xattr);
      if (fault !== null) throw this.#fault(fault, false);
    }
    inodes.xattrs[inode] = this.#tree.xattrSets.add(xattrs);
  }

  #setContent(inode: number, entry: TarEntry): void {
    const inodes = this.#tree.inodes;
    switch (entry.kind) {
      case "file":
        this.#beginFile(inode, entry);
        return;
      case "symlink":
        if (entry.linkPath === "") throw this.#fault("an empty link target", false);
        if (entry.linkPath.length > limits.image.linkTargetBytesMax) {
          throw this.#fault(`a link target of ${entry.linkPath.length} bytes`, true);
        }
        inodes.size[inode] = entry.linkPath.length;
        inodes.location[inode] = this.#tree.bytes.add(entry.linkPath);
        return;
      case "char":
      case "block":
        inodes.location[inode] = encodeDevice(entry.devMajor, entry.devMinor);
        return;
      default:
        return;
    }
  }

  #beginFile(inode: number, entry: TarEntry): void {
    const inodes = this.#tree.inodes;
    inodes.size[inode] = entry.size;
    if (entry.size === 0) return;
    this.#storesData = true;
    if (entry.sparse === null) {
      inodes.location[inode] = this.#sink.begin(entry.size);
      return;
    }
    const placed = this.#sink.beginSparse(entry.size, entry.sparse);
    inodes.location[inode] = placed.firstBlock;
    inodes.sparse.set(inode, placed.layout);
    // Room in the image costs no bytes of the archive, so it is counted here.
    this.#budget.takeBytes(this.#blob, storedBlocks(entry.size, placed.layout) * 4096);
  }

  #fault(what: string, hostile: boolean): MicroagentError {
    const offset = this.#current?.offset ?? 0;
    const path = this.#current?.path ?? "";
    return new MicroagentError(
      hostile ? "image_hostile" : "image_corrupt",
      `Layer "${this.#blob.digest}" has an entry "${displayName(path)}" with ${what} at offset ${offset}`,
      { details: { layer: this.#blob.digest, entry: displayName(path), offset } },
    );
  }
}

const typeBits = {
  file: fileType.file,
  hardlink: fileType.file,
  directory: fileType.directory,
  symlink: fileType.symlink,
  char: fileType.char,
  block: fileType.block,
  fifo: fileType.fifo,
} as const;

/** Links have no permissions of their own: Linux shows them all set. */
function modeOf(entry: TarEntry): number {
  return typeBits[entry.kind] | (entry.kind === "symlink" ? 0o777 : entry.mode);
}

/** A device number as Linux stores it in 32 bits. */
export function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
