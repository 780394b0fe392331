import { randomBytes } from "node:crypto";
import { ByteStore } from "./bytes.ts";
import { columnStart, growTo } from "./grow.ts";
import { fileType, InodeTable } from "./inodes.ts";
import { XattrSets } from "./xattr-sets.ts";

/**
 * A file tree held as columns of numbers: directory entries (dirents) that name inodes. Names are
 * byte strings. Dirent 0 means none; the root is inode `root` and has no dirent.
 */
export class FileTree {
  readonly inodes: InodeTable = new InodeTable();
  readonly bytes: ByteStore = new ByteStore();
  readonly xattrSets: XattrSets = new XattrSets();
  readonly root: number;

  /** Inode of the directory a dirent is in. */
  #parent = new Uint32Array(columnStart);
  #inode = new Uint32Array(columnStart);
  #name = new Uint32Array(columnStart);
  #nameLength = new Uint8Array(columnStart);
  #next = new Uint32Array(columnStart);
  #previous = new Uint32Array(columnStart);
  /** The layer that last touched this path, 0 for none. */
  #layer = new Uint16Array(columnStart);
  #hashNext = new Uint32Array(columnStart);
  #buckets = new Uint32Array(1 << 16);
  #end = 1;
  #count = 0;
  readonly #free: number[] = [];
  // Names are a stranger's: without a secret they could all be made to fall into one bucket.
  readonly #seed = randomBytes(4).readUInt32LE();
  readonly #onRelease: (inode: number) => void;

  /** `onRelease` hears of every inode that lost its last name, before its columns are cleared. */
  constructor(onRelease: (inode: number) => void = () => {}) {
    this.#onRelease = onRelease;
    this.root = this.inodes.allocate();
    this.inodes.mode[this.root] = fileType.directory | 0o755;
    this.inodes.links[this.root] = 2;
  }

  /** Names in the tree, the root not counted. */
  get direntCount(): number {
    return this.#count;
  }

  inodeOf(dirent: number): number {
    return this.#inode[dirent] ?? 0;
  }

  parentOf(dirent: number): number {
    return this.#parent[dirent] ?? 0;
  }

  nextOf(dirent: number): number {
    return this.#next[dirent] ?? 0;
  }

  firstChildOf(directory: number): number {
    return this.inodes.firstChild[directory] ?? 0;
  }

  nameOf(dirent: number): string {
    return this.bytes.text(this.#name[dirent] ?? 0, this.#nameLength[dirent] ?? 0);
  }

  nameLengthOf(dirent: number): number {
    return this.#nameLength[dirent] ?? 0;
  }

  /** Byte order of a dirent's name and a byte string: negative when the dirent comes first. */
  compareName(dirent: number, text: string): number {
    return this.bytes.compareText(this.#name[dirent] ?? 0, this.#nameLength[dirent] ?? 0, text);
  }

  copyName(dirent: number, target: Buffer, at: number): void {
    this.bytes.copy(this.#name[dirent] ?? 0, this.#nameLength[dirent] ?? 0, target, at);
  }

  /** The directory above; the root is its own. */
  parentDirectoryOf(directory: number): number {
    const dirent = this.inodes.ownDirent[directory] ?? 0;
    return dirent === 0 ? this.root : this.parentOf(dirent);
  }

  /** Path from the root without a leading slash; empty for the root. */
  pathOf(dirent: number): string {
    const names: string[] = [];
    for (let at = dirent; at !== 0; at = this.inodes.ownDirent[this.parentOf(at)] ?? 0) {
      names.push(this.nameOf(at));
    }
    return names.reverse().join("/");
  }

  /** A path of an inode, for messages: looks through the whole tree for a file's name. */
  pathOfInode(inode: number): string {
    if (inode === this.root) return "/";
    for (let dirent = 1; dirent < this.#end; dirent++) {
      if (this.#inode[dirent] === inode && this.#parent[dirent] !== 0) return this.pathOf(dirent);
    }
    return "";
  }

  /** The dirent `name` in a directory, 0 when there is none. */
  lookup(directory: number, name: string): number {
    let dirent = this.#buckets[this.#bucketOf(directory, name)] ?? 0;
    while (dirent !== 0) {
      if (
        this.#parent[dirent] === directory &&
        this.bytes.equals(this.#name[dirent] ?? 0, this.#nameLength[dirent] ?? 0, name)
      ) {
        return dirent;
      }
      dirent = this.#hashNext[dirent] ?? 0;
    }
    return 0;
  }

  /** Names an inode; the name must be free. A directory's second name is a caller's mistake. */
  link(directory: number, name: string, inode: number): number {
    const inodes = this.inodes;
    if (++this.#count > this.#buckets.length) this.#rehash();
    const dirent = this.#free.pop() ?? this.#end++;
    if (dirent >= this.#parent.length) this.#grow(dirent + 1);
    this.#parent[dirent] = directory;
    this.#inode[dirent] = inode;
    this.#name[dirent] = this.bytes.add(name);
    this.#nameLength[dirent] = name.length;
    this.#layer[dirent] = 0;
    const first = inodes.firstChild[directory] ?? 0;
    this.#next[dirent] = first;
    this.#previous[dirent] = 0;
    if (first !== 0) this.#previous[first] = dirent;
    inodes.firstChild[directory] = dirent;
    const bucket = this.#bucketOf(directory, name);
    this.#hashNext[dirent] = this.#buckets[bucket] ?? 0;
    this.#buckets[bucket] = dirent;
    if (inodes.isDirectory(inode)) {
      inodes.ownDirent[inode] = dirent;
      inodes.links[inode] = 2;
      inodes.links[directory] = (inodes.links[directory] ?? 0) + 1;
    } else {
      inodes.links[inode] = (inodes.links[inode] ?? 0) + 1;
    }
    return dirent;
  }

  /** Removes a name and, when it is a directory, everything below it. */
  remove(dirent: number): void {
    const stack = [dirent];
    for (let at = stack.at(-1); at !== undefined; at = stack.at(-1)) {
      const child = this.inodes.firstChild[this.inodeOf(at)] ?? 0;
      if (child !== 0) {
        stack.push(child);
      } else {
        stack.pop();
        this.#unlink(at);
      }
    }
  }

  #unlink(dirent: number): void {
    const inodes = this.inodes;
    const directory = this.parentOf(dirent);
    const inode = this.inodeOf(dirent);
    const next = this.#next[dirent] ?? 0;
    const previous = this.#previous[dirent] ?? 0;
    if (previous === 0) inodes.firstChild[directory] = next;
    else this.#next[previous] = next;
    if (next !== 0) this.#previous[next] = previous;
    this.#unhash(dirent, directory);
    this.#count--;
    this.#parent[dirent] = 0;
    this.#free.push(dirent);
    if (inodes.isDirectory(inode)) {
      inodes.links[directory] = (inodes.links[directory] ?? 0) - 1;
      inodes.links[inode] = 0;
    } else {
      inodes.links[inode] = (inodes.links[inode] ?? 0) - 1;
    }
    if (inodes.links[inode] !== 0) return;
    this.#onRelease(inode);
    inodes.release(inode);
  }

  /** Marks a path and all directories above it as written by `layer` (1 is the lowest). */
  touch(dirent: number, layer: number): void {
    for (let at = dirent; at !== 0; at = this.inodes.ownDirent[this.parentOf(at)] ?? 0) {
      // Whoever marked this one marked those above it too.
      if (this.#layer[at] === layer) return;
      this.#layer[at] = layer;
    }
  }

  isTouched(dirent: number, layer: number): boolean {
    return this.#layer[dirent] === layer;
  }

  /** Puts the children of a directory into byte order of their names. */
  sortChildren(directory: number): void {
    const children: number[] = [];
    for (let at = this.firstChildOf(directory); at !== 0; at = this.nextOf(at)) children.push(at);
    if (children.length < 2) return;
    const names = this.#name;
    const lengths = this.#nameLength;
    children.sort((a, b) =>
      this.bytes.compare(names[a] ?? 0, lengths[a] ?? 0, names[b] ?? 0, lengths[b] ?? 0),
    );
    let previous = 0;
    for (const dirent of children) {
      this.#previous[dirent] = previous;
      if (previous === 0) this.inodes.firstChild[directory] = dirent;
      else this.#next[previous] = dirent;
      previous = dirent;
    }
    this.#next[previous] = 0;
  }

  #unhash(dirent: number, directory: number): void {
    const bucket = this.#bucketOf(directory, this.nameOf(dirent));
    let at = this.#buckets[bucket] ?? 0;
    if (at === dirent) {
      this.#buckets[bucket] = this.#hashNext[dirent] ?? 0;
      return;
    }
    while (at !== 0) {
      const next = this.#hashNext[at] ?? 0;
      if (next === dirent) {
        this.#hashNext[at] = this.#hashNext[dirent] ?? 0;
        return;
      }
      at = next;
    }
  }

  #bucketOf(directory: number, name: string): number {
    let hash = Math.imul(this.#seed ^ directory, 0x9e3779b1);
    for (let i = 0; i < name.length; i++) {
      hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    return ((hash ^ (hash >>> 13)) >>> 0) & (this.#buckets.length - 1);
  }

  #rehash(): void {
    this.#buckets = new Uint32Array(this.#buckets.length * 4);
    for (let dirent = 1; dirent < this.#end; dirent++) {
      const directory = this.#parent[dirent] ?? 0;
      // Free ones have no parent.
      if (directory === 0) continue;
      const bucket = this.#bucketOf(directory, this.nameOf(dirent));
      this.#hashNext[dirent] = this.#buckets[bucket] ?? 0;
      this.#buckets[bucket] = dirent;
    }
  }

  #grow(need: number): void {
    this.#parent = growTo(this.#parent, need);
    this.#inode = growTo(this.#inode, need);
    this.#name = growTo(this.#name, need);
    this.#nameLength = growTo(this.#nameLength, need);
    this.#next = growTo(this.#next, need);
    this.#previous = growTo(this.#previous, need);
    this.#layer = growTo(this.#layer, need);
    this.#hashNext = growTo(this.#hashNext, need);
  }
}
