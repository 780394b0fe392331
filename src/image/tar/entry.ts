/**
 * What a tar archive says about one file. Names, link targets and attribute names are byte strings:
 * every character is one byte (latin1), so nothing is lost and order is byte order.
 */
export interface TarEntry {
  readonly kind: TarEntryKind;
  /** As written in the archive; not cleaned. */
  readonly path: string;
  /** Target of a hard or symbolic link, else empty. */
  readonly linkPath: string;
  /** Bytes of the file as a reader sees it, holes included; 0 for everything but files. */
  readonly size: number;
  /** Permission bits with set-user-id, set-group-id and sticky (0o7777). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: readonly TarXattr[];
  /** Where the data lies, in order, null when the file has no holes. */
  readonly sparse: readonly SparseExtent[] | null;
  /** Offset of the entry's own header in the uncompressed layer. */
  readonly offset: number;
}

export type TarEntryKind =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "char"
  | "block"
  | "fifo";

/** One extended attribute: full name with its prefix, as a byte string, and the raw value. */
export interface TarXattr {
  readonly name: string;
  readonly value: Uint8Array;
}

export interface SparseExtent {
  readonly offset: number;
  readonly length: number;
}

/** Receives the parts of an archive, in order and synchronously. */
export interface TarHandler {
  entry(entry: TarEntry): void;
  /** Stored bytes of the current file; holes of a sparse file are left out. */
  data(chunk: Uint8Array, start: number, end: number): void;
  /** The current entry is complete. */
  entryEnd(): void;
}

/** Shows a byte string to people: UTF-8 where it is, control characters escaped. */
export function displayName(bytes: string): string {
  const text = Buffer.from(bytes, "latin1").toString("utf8");
  const shown = text.length > 200 ? `${text.slice(0, 200)}...` : text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped here
  return shown.replace(/[\u0000-\u001f\u007f]/g, (c) => {
    return `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
