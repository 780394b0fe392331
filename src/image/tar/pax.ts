import type { SparseExtent } from "./entry.ts";
import { parseDecimal } from "./numeric.ts";

/** What the extended headers before an entry say; absent fields leave the header block's value. */
export interface PaxFields {
  path?: string;
  linkPath?: string;
  size?: number;
  uid?: number;
  gid?: number;
  mtimeSeconds?: number;
  mtimeNanoseconds?: number;
  /** Full attribute name to raw value; a repeated name keeps its last value. */
  xattrs: Map<string, Uint8Array>;
  sparse: PaxSparse;
}

/** The GNU.sparse.* records of all three dialects. */
export interface PaxSparse {
  major?: string;
  minor?: string;
  name?: string;
  realSize?: number;
  /** Numbers in order: offset, length, offset, length, ... (dialects 0.0 and 0.1). */
  numbers: number[];
}

const xattrPrefix = "SCHILY.xattr.";
const sparsePrefix = "GNU.sparse.";

/**
 * Parses the records of a PAX header (`<length> <key>=<value>\n`, length counting itself).
 * Returns a sentence part naming the fault instead when the records are malformed.
 */
export function parsePax(body: Buffer): PaxFields | string {
  const fields: PaxFields = { xattrs: new Map(), sparse: { numbers: [] } };
  let at = 0;
  while (at < body.length) {
    let space = at;
    while (space < body.length && space - at < 20 && isDigit(body[space])) space++;
    const length = parseDecimal(body.toString("latin1", at, space));
    const end = at + length;
    if (!(length > 4) || body[space] !== 0x20 || end > body.length || body[end - 1] !== 0x0a) {
      return "a PAX record of a wrong length";
    }
    const equals = body.indexOf(0x3d, space + 1);
    if (equals < 0 || equals >= end) return "a PAX record without a value";
    const key = body.toString("latin1", space + 1, equals);
    const fault = applyRecord(fields, key, body.subarray(equals + 1, end - 1));
    if (fault !== null) return fault;
    at = end;
  }
  return fields;
}

function applyRecord(fields: PaxFields, key: string, raw: Buffer): string | null {
  if (key === "" || key.includes("\0")) return "a PAX record with a bad key";
  // An empty value takes back the record, it does not set an empty one. That goes for attributes
  // too: the tools that images are made and unpacked with lose empty ones.
  if (raw.length === 0 && !key.startsWith(sparsePrefix)) return null;
  if (key.startsWith(xattrPrefix)) {
    fields.xattrs.set(key.slice(xattrPrefix.length), new Uint8Array(raw));
    return null;
  }
  const value = raw.toString("latin1");
  if (key.startsWith(sparsePrefix)) {
    return applySparse(fields.sparse, key.slice(sparsePrefix.length), value);
  }
  switch (key) {
    case "path":
    case "linkpath":
      if (value.includes("\0")) return "a name with a NUL";
      if (key === "path") fields.path = value;
      else fields.linkPath = value;
      return null;
    case "size":
    case "uid":
    case "gid": {
      const number = parseDecimal(value);
      if (Number.isNaN(number)) return `a PAX ${key} that is no number`;
      fields[key] = number;
      return null;
    }
    case "mtime":
      return applyTime(fields, value);
    default:
      return null;
  }
}

/** Seconds with a fraction of any length, cut to nanoseconds; negative times count backwards. */
function applyTime(fields: PaxFields, value: string): string | null {
  const match = /^(-?)([0-9]{1,19})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) return "a PAX mtime that is no time";
  const whole = Number(match[2]);
  if (!Number.isSafeInteger(whole)) return "a PAX mtime out of range";
  const nanoseconds = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  const backwards = match[1] === "-" && nanoseconds > 0;
  const sign = match[1] === "-" ? -1 : 1;
  fields.mtimeSeconds = backwards ? -whole - 1 : sign * whole + 0;
  fields.mtimeNanoseconds = backwards ? 1_000_000_000 - nanoseconds : nanoseconds;
  return null;
}

function applySparse(sparse: PaxSparse, key: string, value: string): string | null {
  switch (key) {
    case "major":
    case "minor":
    case "name":
      if (value.includes("\0")) return "a name with a NUL";
      sparse[key] = value;
      return null;
    case "size":
    case "realsize":
      sparse.realSize = parseDecimal(value);
      return null;
    case "offset":
    case "numbytes":
      // Dialect 0.0 repeats the pair; the order of the records is the order of the extents.
      if ((sparse.numbers.length % 2 === 0) !== (key === "offset")) return "a bad sparse map";
      sparse.numbers.push(parseDecimal(value));
      return null;
    case "map":
      sparse.numbers = value === "" ? [] : value.split(",").map(parseDecimal);
      return null;
    default:
      return null;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** Pairs up the numbers of a sparse map; null when it is not one. */
export function pairExtents(numbers: readonly number[]): SparseExtent[] | null {
  if (numbers.length % 2 !== 0) return null;
  const extents: SparseExtent[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    extents.push({ offset: numbers[i] ?? Number.NaN, length: numbers[i + 1] ?? Number.NaN });
  }
  return extents;
}
