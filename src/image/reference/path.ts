import { parseDigest, parseTag } from "./docker.ts";
import { referenceInvalid } from "./invalid.ts";
import type { ArchiveReference, LayoutReference } from "./kinds.ts";

/** Reads `oci:PATH[:tag][@sha256:<hex>]`; a path cannot hold a colon, as elsewhere. */
export function parseLayoutReference(text: string): LayoutReference {
  const start = "oci:".length;
  const { end, digest } = splitDigest(text, start);
  const { path, tag } = splitPath(text, start, end);
  return { transport: "oci", path, tag: tag === null ? null : layoutTag(tag, text, end), digest };
}

/** Reads `oci-archive:PATH[:tag][@sha256:<hex>]` and `docker-archive:PATH[:name:tag][@sha256:<hex>]`. */
export function parseArchiveReference(
  text: string,
  transport: ArchiveReference["transport"],
): ArchiveReference {
  const start = transport.length + 1;
  const { end, digest } = splitDigest(text, start);
  return { transport, ...splitPath(text, start, end), digest };
}

/** Finds a digest at the end of the text; `end` is where what is before it ends. */
export function splitDigest(text: string, start: number): { end: number; digest: string | null } {
  const at = text.indexOf("@sha256:", start);
  return at < 0
    ? { end: text.length, digest: null }
    : { end: at, digest: parseDigest(text, at + 1) };
}

function splitPath(text: string, start: number, end: number): { path: string; tag: string | null } {
  const body = text.slice(start, end);
  const colon = body.indexOf(":");
  const path = colon < 0 ? body : body.slice(0, colon);
  if (path === "") {
    throw referenceInvalid(
      text,
      start,
      "a path is missing",
      `Write it like: ${text.slice(0, start)}./image:latest`,
    );
  }
  if (colon < 0) return { path, tag: null };
  const tag = body.slice(colon + 1);
  if (tag === "")
    throw referenceInvalid(text, start + colon + 1, "a tag is missing after the colon");
  return { path, tag };
}

/** A layout names images freely (even `name:tag`); only what looks like a tag is checked as one. */
function layoutTag(tag: string, text: string, end: number): string {
  return /[:/]/.test(tag) ? tag : parseTag(text, end - tag.length, tag);
}
