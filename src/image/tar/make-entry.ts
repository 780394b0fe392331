import { limits } from "../../base/limits.ts";
import type { SparseExtent, TarEntry, TarEntryKind, TarXattr } from "./entry.ts";
import type { RawHeader } from "./header.ts";
import { type PaxFields, pairExtents } from "./pax.ts";
import { isSparseMapValid } from "./sparse.ts";

interface Parts {
  readonly header: RawHeader;
  readonly offset: number;
  readonly pax: PaxFields | null;
  readonly longName: string | null;
  readonly longLink: string | null;
  /** The map of an old GNU or 1.0 sparse file; `header.size` is then what is stored. */
  readonly sparse: { readonly extents: SparseExtent[]; readonly realSize: number } | null;
}

type Made =
  | { readonly ok: true; readonly entry: TarEntry; readonly storedBytes: number }
  | {
      readonly ok: false;
      readonly name: string;
      /** Completes "an entry with ...". */
      readonly fault: string;
      readonly hostile: boolean;
    };

/** Joins a header block with the extended headers before it; PAX wins over GNU wins over ustar. */
export function makeEntry(parts: Parts): Made {
  const { header, pax, offset } = parts;
  const path = pax?.sparse.name ?? pax?.path ?? parts.longName ?? header.name;
  const fail = (fault: string, hostile = false): Made => ({
    ok: false,
    name: path,
    fault,
    hostile,
  });

  const kind = kindOf(header, path);
  if (kind === null) return fail(`the unknown type "${header.type}"`);
  const linkPath = pax?.linkPath ?? parts.longLink ?? header.linkName;
  const uid = ownerId(pax?.uid ?? header.uid);
  const gid = ownerId(pax?.gid ?? header.gid);
  if (uid === null || gid === null) return fail("a user or group id out of range");
  if (!(header.mode >= 0)) return fail("a mode that is no number");
  const mtimeSeconds = pax?.mtimeSeconds ?? header.mtime;
  if (Number.isNaN(mtimeSeconds)) return fail("a modification time that is no number");
  const isDevice = kind === "char" || kind === "block";
  const { devMajor, devMinor } = header;
  if (isDevice && !(devMajor >= 0 && devMajor < 4096 && devMinor >= 0 && devMinor < 1 << 20)) {
    return fail("a device number out of range");
  }
  const xattrs = xattrsOf(pax);
  if (xattrs === null) {
    return fail(`extended attributes of more than ${limits.image.xattrBytesMax} bytes`, true);
  }

  // Only files have data; a size on anything else is a remark without bytes behind it.
  const storedBytes = kind === "file" ? (pax?.size ?? header.size) : 0;
  if (!(storedBytes >= 0)) return fail("a bad size");
  let size = storedBytes;
  let sparse: SparseExtent[] | null = null;
  const map = parts.sparse ?? paxSparse(pax);
  if (map !== null && kind === "file") {
    if (!isSparseMapValid(map.extents, map.realSize, storedBytes)) return fail("a bad sparse map");
    size = map.realSize;
    sparse = map.extents.filter((extent) => extent.length > 0);
  }
  if (size > maxFileBytes) return fail(`a size of ${size} bytes, no file system holds it`, true);
  return {
    ok: true,
    storedBytes,
    entry: {
      kind,
      path,
      linkPath: kind === "symlink" || kind === "hardlink" ? linkPath : "",
      size,
      mode: header.mode & 0o7777,
      uid,
      gid,
      mtimeSeconds,
      mtimeNanoseconds: pax?.mtimeSeconds === undefined ? 0 : (pax.mtimeNanoseconds ?? 0),
      devMajor: isDevice ? devMajor : 0,
      devMinor: isDevice ? devMinor : 0,
      xattrs,
      sparse,
      offset,
    },
  };
}

/** 16 TiB less a block: what ext4 holds with 4 KiB blocks. */
const maxFileBytes = 2 ** 44 - 4096;

function kindOf(header: RawHeader, path: string): TarEntryKind | null {
  switch (header.type) {
    case "\0":
      // Before there was a type for directories, the slash said it.
      return path.endsWith("/") ? "directory" : "file";
    case "0":
    case "7":
    case "S":
      return "file";
    case "1":
      return "hardlink";
    case "2":
      return "symlink";
    case "3":
      return "char";
    case "4":
      return "block";
    case "5":
      return "directory";
    case "6":
      return "fifo";
    default:
      return null;
  }
}

/** Owners are 32 bits; some writers store "nobody" as a negative number. */
function ownerId(value: number): number | null {
  if (!(value >= -0x80000000 && value <= 0xffffffff)) return null;
  const id = value >>> 0;
  // All ones means "leave unchanged" to chown, so no file can have it.
  return id === 0xffffffff ? null : id;
}

const noXattrs: readonly TarXattr[] = [];

function xattrsOf(pax: PaxFields | null): readonly TarXattr[] | null {
  if (pax === null || pax.xattrs.size === 0) return noXattrs;
  const xattrs: TarXattr[] = [];
  let bytes = 0;
  for (const [name, value] of pax.xattrs) {
    bytes += name.length + value.length;
    xattrs.push({ name, value });
  }
  return bytes > limits.image.xattrBytesMax ? null : xattrs;
}

/** Dialects 0.0 and 0.1 keep the map in the PAX records. */
function paxSparse(pax: PaxFields | null): Parts["sparse"] {
  const sparse = pax?.sparse;
  if (sparse?.realSize === undefined || (sparse.major ?? "0") !== "0") return null;
  const extents = pairExtents(sparse.numbers);
  return { extents: extents ?? [{ offset: Number.NaN, length: 0 }], realSize: sparse.realSize };
}
