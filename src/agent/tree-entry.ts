import { z } from "zod";
import { limits } from "../base/limits.ts";
import type { TreeEntry } from "./tree.ts";

const count = z.number().int().nonnegative();
const id32 = count.max(0xffff_ffff);
const pathText = z.string().max(limits.outputs.pathBytesMax);
// Base64 is four characters for three bytes.
const base64 = z.base64().max(Math.ceil(limits.outputs.pathBytesMax / 3) * 4);

const entrySchema = z.object({
  path: pathText.optional(),
  path_b64: base64.optional(),
  type: z.enum(["file", "dir", "symlink", "hardlink", "fifo", "char", "block", "socket"]),
  mode: count.max(0o7777),
  uid: id32.default(0),
  gid: id32.default(0),
  size: count.max(Number.MAX_SAFE_INTEGER).default(0),
  mtime_s: z.number().int().default(0),
  mtime_ns: count.max(999_999_999).default(0),
  link: pathText.optional(),
  link_b64: base64.optional(),
  dev_major: id32.optional(),
  dev_minor: id32.optional(),
});

/** Reads an entry as it is on the wire; null when it is not one. Path rules are the receiver's. */
export function parseTreeEntry(value: unknown): TreeEntry | null {
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) return null;
  const wire = parsed.data;
  const path = textOf(wire.path, wire.path_b64);
  const link = textOf(wire.link, wire.link_b64);
  if (path === null) return null;
  return {
    path: path.text,
    pathBytes: path.bytes,
    type: wire.type,
    mode: wire.mode,
    uid: wire.uid,
    gid: wire.gid,
    sizeBytes: wire.size,
    mtimeSeconds: wire.mtime_s,
    mtimeNanoseconds: wire.mtime_ns,
    link: link?.text ?? null,
    linkBytes: link?.bytes ?? null,
    device:
      wire.dev_major === undefined ? null : { major: wire.dev_major, minor: wire.dev_minor ?? 0 },
  };
}

/** The entry as it goes over the wire. */
export function encodeTreeEntry(entry: TreeEntry): Record<string, unknown> {
  return {
    ...(entry.pathBytes === null ? { path: entry.path } : { path_b64: base64Of(entry.pathBytes) }),
    type: entry.type,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: entry.sizeBytes,
    mtime_s: entry.mtimeSeconds,
    mtime_ns: entry.mtimeNanoseconds,
    ...linkOf(entry),
    ...(entry.device === null
      ? {}
      : { dev_major: entry.device.major, dev_minor: entry.device.minor }),
  };
}

function linkOf(entry: TreeEntry): Record<string, unknown> {
  if (entry.linkBytes !== null) return { link_b64: base64Of(entry.linkBytes) };
  return entry.link === null ? {} : { link: entry.link };
}

function textOf(
  text: string | undefined,
  encoded: string | undefined,
): { text: string; bytes: Uint8Array | null } | null {
  if (encoded !== undefined) {
    const bytes = Buffer.from(encoded, "base64");
    return { text: bytes.toString("utf8"), bytes };
  }
  return text === undefined ? null : { text, bytes: null };
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
