import { columnStart, growTo } from "./grow.ts";

/** File type bits of a mode, as `stat` has them. */
export const fileType = {
  fifo: 0o010000,
  char: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
  mask: 0o170000,
} as const;

/** Where the data of a file lies that has holes. */
export interface SparseLayout {
  /** A chunk is `4096 << chunkBits` bytes; every chunk is wholly stored or wholly a hole. */
  readonly chunkBits: number;
  /** First chunk and number of chunks of each stored run, in order; stored one after the other. */
  readonly runs: Float64Array;
}

/**
 * The inodes of a tree as columns of numbers: about 60 bytes each, whatever the tree's size.
 * Number 0 is never used.
 */
export class InodeTable {
  mode = new Uint16Array(columnStart);
  uid = new Uint32Array(columnStart);
  gid = new Uint32Array(columnStart);
  mtimeSeconds = new Float64Array(columnStart);
  mtimeNanoseconds = new Uint32Array(columnStart);
  /** Bytes of a file or a link's target. */
  size = new Float64Array(columnStart);
  /** File: first 4096-byte block of the data. Link: address of its target. Device: its number. */
  location = new Uint32Array(columnStart);
  /** Names of a file; subdirectories plus two of a directory. */
  links = new Uint32Array(columnStart);
  /** Attribute set, 0 for none. */
  xattrs = new Uint32Array(columnStart);
  /** Directory: first child, as a dirent number, 0 when empty. */
  firstChild = new Uint32Array(columnStart);
  /** Directory: its own dirent number, 0 for the root. */
  ownDirent = new Uint32Array(columnStart);
  readonly sparse: Map<number, SparseLayout> = new Map();
  /** Inodes in use. */
  count = 0;
  /** One more than the highest number in use. */
  end = 1;
  #free: number[] = [];

  /** A fresh inode with all columns zero. */
  allocate(): number {
    this.count++;
    const recycled = this.#free.pop();
    if (recycled !== undefined) return recycled;
    const inode = this.end++;
    if (inode >= this.mode.length) this.#grow(inode + 1);
    return inode;
  }

  release(inode: number): void {
    this.count--;
    this.sparse.delete(inode);
    const columns = [
      this.mode,
      this.uid,
      this.gid,
      this.mtimeSeconds,
      this.mtimeNanoseconds,
      this.size,
      this.location,
      this.links,
      this.xattrs,
      this.firstChild,
      this.ownDirent,
    ];
    for (const column of columns) column[inode] = 0;
    this.#free.push(inode);
  }

  typeOf(inode: number): number {
    return (this.mode[inode] ?? 0) & fileType.mask;
  }

  isDirectory(inode: number): boolean {
    return this.typeOf(inode) === fileType.directory;
  }

  #grow(need: number): void {
    this.mode = growTo(this.mode, need);
    this.uid = growTo(this.uid, need);
    this.gid = growTo(this.gid, need);
    this.mtimeSeconds = growTo(this.mtimeSeconds, need);
    this.mtimeNanoseconds = growTo(this.mtimeNanoseconds, need);
    this.size = growTo(this.size, need);
    this.location = growTo(this.location, need);
    this.links = growTo(this.links, need);
    this.xattrs = growTo(this.xattrs, need);
    this.firstChild = growTo(this.firstChild, need);
    this.ownDirent = growTo(this.ownDirent, need);
  }
}
