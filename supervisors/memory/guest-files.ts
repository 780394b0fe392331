import { posix } from "node:path";
import type { EntryType } from "../../src/agent/tree.ts";

/** One file, directory or link of the in-memory guest. */
export interface MemoryNode {
  readonly type: EntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  /** Content of a file. */
  readonly data: Buffer;
  /** Target of a symlink. */
  readonly link: string | null;
}

/** A node as a saved machine holds it. */
export type SavedNode = Omit<MemoryNode, "data"> & { readonly path: string; readonly data: string };

/** The file system of an in-memory guest: a map from absolute path to node, the root always there. */
export class MemoryFiles {
  readonly #nodes = new Map<string, MemoryNode>([["/", directoryNode(0o755)]]);

  /** Writes a file, making its parents. Data is copied. */
  write(path: string, data: string | Uint8Array, known: Partial<MemoryNode> = {}): void {
    this.set(path, { ...fileNode(copyOf(data)), ...known });
  }

  makeDir(path: string, mode = 0o755): void {
    if (this.#nodes.get(normal(path))?.type !== "dir") this.set(path, directoryNode(mode));
  }

  makeLink(path: string, target: string): void {
    this.set(path, { ...fileNode(Buffer.alloc(0)), type: "symlink", mode: 0o777, link: target });
  }

  /** Puts any node at a path, making its parents; also kinds no program could make. */
  set(path: string, node: MemoryNode): void {
    const at = normal(path);
    for (let parent = posix.dirname(at); !this.#nodes.has(parent); parent = posix.dirname(parent)) {
      this.#nodes.set(parent, directoryNode(0o755));
    }
    this.#nodes.set(at, node);
  }

  /** The node itself, a link not followed. */
  get(path: string): MemoryNode | null {
    return this.#nodes.get(normal(path)) ?? null;
  }

  /** The node a path leads to, its last component followed when it is a link. */
  follow(path: string): MemoryNode | null {
    let at = normal(path);
    for (let hops = 0; hops < 40; hops++) {
      const node = this.#nodes.get(at);
      if (node?.link == null) return node ?? null;
      at = normal(posix.resolve(posix.dirname(at), node.link));
    }
    return null;
  }

  /** Content of a file, null when there is none. */
  read(path: string): Buffer | null {
    const node = this.follow(path);
    return node?.type === "file" ? node.data : null;
  }

  remove(path: string): void {
    const at = normal(path);
    for (const known of [...this.#nodes.keys()]) {
      if (known === at || known.startsWith(`${at}/`)) this.#nodes.delete(known);
    }
  }

  /** Everything there is, in a form for a file. */
  toJSON(): readonly SavedNode[] {
    return [...this.#nodes].map(([path, node]) => ({
      ...node,
      path,
      data: node.data.toString("base64"),
    }));
  }

  /** Puts back what `toJSON` gave. */
  restore(nodes: readonly SavedNode[]): void {
    for (const { path, data, ...node } of nodes) {
      this.#nodes.set(path, { ...node, data: Buffer.from(data, "base64") });
    }
  }

  /** Names in a directory, in byte order. */
  names(path: string): string[] {
    const prefix = normal(path) === "/" ? "/" : `${normal(path)}/`;
    const names = [...this.#nodes.keys()]
      .filter((known) => known.startsWith(prefix) && known !== "/")
      .map((known) => known.slice(prefix.length))
      .filter((name) => name !== "" && !name.includes("/"));
    return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }
}

function normal(path: string): string {
  return posix.resolve("/", path);
}

function fileNode(data: Buffer): MemoryNode {
  return { type: "file", mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 0, data, link: null };
}

function directoryNode(mode: number): MemoryNode {
  return { ...fileNode(Buffer.alloc(0)), type: "dir", mode };
}

function copyOf(data: string | Uint8Array): Buffer {
  return typeof data === "string" ? Buffer.from(data) : Buffer.from(data);
}
