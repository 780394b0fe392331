import { MicroagentError } from "../../base/errors.ts";
import type { Xattr } from "../tree/xattr-sets.ts";
import { erofs, xattrPrefixes } from "./format.ts";

/** The attributes of an inode as they are stored behind it; empty when there are none. */
export function encodeXattrs(xattrs: readonly Xattr[]): Buffer {
  if (xattrs.length === 0) return Buffer.alloc(0);
  const parts: Buffer[] = [Buffer.alloc(erofs.xattrHeaderBytes)];
  for (const { name, value } of xattrs) {
    const [prefix, index] = prefixOf(name);
    const suffix = Buffer.from(name.slice(prefix.length), "latin1");
    const bytes = 4 + suffix.length + value.length;
    const entry = Buffer.alloc(bytes + ((4 - (bytes % 4)) % 4));
    entry.writeUInt8(suffix.length, 0);
    entry.writeUInt8(index, 1);
    entry.writeUInt16LE(value.length, 2);
    entry.set(suffix, 4);
    entry.set(value, 4 + suffix.length);
    parts.push(entry);
  }
  return Buffer.concat(parts);
}

/** `i_xattr_icount`: the header counts as one, every further 4 bytes as one more. */
export function xattrCount(body: Buffer): number {
  return body.length === 0 ? 0 : 1 + (body.length - erofs.xattrHeaderBytes) / 4;
}

function prefixOf(name: string): readonly [string, number] {
  const found = xattrPrefixes.find(([prefix]) => name.startsWith(prefix));
  if (found === undefined) {
    throw new MicroagentError("internal", `No EROFS prefix fits the attribute "${name}"`);
  }
  return found;
}
