/** A file tree on its way between host and guest: a flat sequence of items, ended by `end`. */
export type TreeItem =
  /** A new entry; for a file its content follows as data and holes, closed by entry-end. */
  | { readonly kind: "entry"; readonly entry: TreeEntry }
  | { readonly kind: "data"; readonly data: Uint8Array }
  /** That many zero bytes that need no storage. */
  | { readonly kind: "hole"; readonly bytes: number }
  | { readonly kind: "entry-end" }
  /** Something that could not be read, and why. */
  | {
      readonly kind: "skip";
      readonly path: string;
      readonly code: string;
      readonly message: string;
    }
  | ({ readonly kind: "end" } & TreeEnd);

/** What went over: `bytes` counts file content, holes included. */
export interface TransferSummary {
  readonly entries: number;
  readonly bytes: number;
  /** A cap stopped the sender before the end of the tree. */
  readonly truncated: boolean;
}

/** The end of a tree that was asked for within caps. */
export interface TreeEnd extends TransferSummary {
  /** Entries of which the sender says no more: the receiver records no further ones. */
  readonly counted: number;
}

export type EntryType =
  | "file"
  | "dir"
  | "symlink"
  | "hardlink"
  | "fifo"
  | "char"
  | "block"
  | "socket";

/** One entry of a tree. */
export interface TreeEntry {
  /** Relative to the tree's root, the empty text being the root itself. */
  readonly path: string;
  /** The exact bytes of a path that is not UTF-8; `path` then only resembles it. */
  readonly pathBytes: Uint8Array | null;
  readonly type: EntryType;
  /** Twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  /** Target text of a symlink, or the path of an earlier file for a hardlink. */
  readonly link: string | null;
  readonly linkBytes: Uint8Array | null;
  readonly device: { readonly major: number; readonly minor: number } | null;
}

/** An entry with ordinary values where none are given: root's, mode 0644 or 0755, dated 1970. */
export function treeEntry(known: Pick<TreeEntry, "path" | "type"> & Partial<TreeEntry>): TreeEntry {
  return {
    pathBytes: null,
    mode: known.type === "dir" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    mtimeSeconds: 0,
    mtimeNanoseconds: 0,
    link: null,
    linkBytes: null,
    device: null,
    ...known,
  };
}

/** A tree that is one file, for `Agent.put`. */
export async function* singleFileTree(
  data: Uint8Array,
  known: Partial<TreeEntry> = {},
): AsyncIterable<TreeItem> {
  yield {
    kind: "entry",
    entry: treeEntry({ ...known, path: "", type: "file", sizeBytes: data.length }),
  };
  if (data.length > 0) yield { kind: "data", data };
  yield { kind: "entry-end" };
}
