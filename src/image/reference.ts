import { parseDockerReference } from "./reference/docker.ts";
import { referenceInvalid } from "./reference/invalid.ts";
import type { ArchiveReference, ImageReference, MmdebstrapReference } from "./reference/kinds.ts";
import { parseLocalReference } from "./reference/local.ts";
import { parseMmdebstrapReference } from "./reference/mmdebstrap.ts";
import { parseArchiveReference, parseLayoutReference } from "./reference/path.ts";

export type { ImageReference } from "./reference/kinds.ts";

/** The transports by the prefix that selects them. */
export const transportPrefixes = [
  "docker://",
  "oci:",
  "oci-archive:",
  "docker-archive:",
  "mmdebstrap:",
] as const;

/**
 * Reads an image reference as in containers-transports, without a prefix as `docker://`.
 * `image_reference_invalid` names the character (counted from 1) and what was wanted there.
 */
export function parseReference(text: string): ImageReference {
  if (text.length === 0) throw referenceInvalid(text, 0, "it is empty");
  const odd = text.search(/[^\x21-\x7e]/);
  const isPath = /^(?:oci|oci-archive|docker-archive):/.test(text);
  if (odd >= 0 && !isPath) {
    throw referenceInvalid(text, odd, "only printable ASCII characters may appear there");
  }
  if (text.includes("\0")) {
    throw referenceInvalid(text, text.indexOf("\0"), "a path cannot hold a NUL byte");
  }
  if (text.startsWith("docker://")) return parseDockerReference(text, "docker://".length);
  if (text.startsWith("oci:")) return parseLayoutReference(text);
  if (text.startsWith("oci-archive:")) return parseArchiveReference(text, "oci-archive");
  if (text.startsWith("docker-archive:")) return parseArchiveReference(text, "docker-archive");
  if (text.startsWith("mmdebstrap:")) return parseMmdebstrapReference(text);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text);
  if (scheme !== null) {
    throw referenceInvalid(
      text,
      0,
      `transport "${scheme[1]}" is not known`,
      `Use one of: ${transportPrefixes.join(" ")}`,
    );
  }
  return parseLocalReference(text) ?? parseDockerReference(text, 0);
}

/** The one canonical text of a reference; parsing it gives the same reference again. */
export function formatReference(reference: ImageReference): string {
  const name = reference.transport === "local" ? reference.name : whereAndTag(reference);
  if (reference.digest === null) return name ?? "";
  return name === null ? reference.digest : `${name}@${reference.digest}`;
}

/** The same image named by content, as a reference that can be used in its place. */
export function resolvedReference(reference: ImageReference, digest: string): string {
  if (reference.transport === "local") return digest;
  // A tag beside a digest says nothing more, except which image of an archive to read.
  const bare =
    "tag" in reference && !isArchive(reference) ? { ...reference, tag: null } : reference;
  return `${whereAndTag(bare)}@${digest}`;
}

/** True when the same text can mean another image tomorrow: a tag, or packages of today. */
export function isMutableReference(reference: ImageReference): boolean {
  return reference.digest === null && !("path" in reference);
}

/** Whether a reference names a tar file. */
export function isArchive(reference: ImageReference): reference is ArchiveReference {
  return reference.transport === "oci-archive" || reference.transport === "docker-archive";
}

function whereAndTag(reference: Exclude<ImageReference, { transport: "local" }>): string {
  if (reference.transport === "mmdebstrap") return formatMmdebstrap(reference);
  const where =
    reference.transport === "docker"
      ? `${reference.registry}/${reference.repository}`
      : `${reference.transport}:${reference.path}`;
  return reference.tag === null ? where : `${where}:${reference.tag}`;
}

function formatMmdebstrap(reference: MmdebstrapReference): string {
  const query = [
    reference.include.length === 0 ? "" : `include=${reference.include.join(",")}`,
    `variant=${reference.variant}`,
    reference.components.join(",") === "main" ? "" : `components=${reference.components.join(",")}`,
  ].filter((part) => part !== "");
  return `mmdebstrap:${reference.suite}?${query.join("&")}`;
}
