import { parseDockerReference } from "./reference/docker.ts";
import { referenceInvalid } from "./reference/invalid.ts";
import type { ImageReference, MmdebstrapReference } from "./reference/kinds.ts";
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
  switch (reference.transport) {
    case "docker": {
      const tag = reference.tag === null ? "" : `:${reference.tag}`;
      const digest = reference.digest === null ? "" : `@${reference.digest}`;
      return `${reference.registry}/${reference.repository}${tag}${digest}`;
    }
    case "oci": {
      const tag = reference.tag === null ? "" : `:${reference.tag}`;
      const digest = reference.digest === null ? "" : `@${reference.digest}`;
      return `oci:${reference.path}${tag}${digest}`;
    }
    case "oci-archive":
    case "docker-archive":
      return `${reference.transport}:${reference.path}${reference.tag === null ? "" : `:${reference.tag}`}`;
    case "mmdebstrap":
      return formatMmdebstrap(reference);
    case "local":
      return reference.name ?? reference.digest ?? "";
  }
}

/** The same image named by content: `<where>@sha256:<hex>`. */
export function resolvedReference(reference: ImageReference, digest: string): string {
  switch (reference.transport) {
    case "docker":
      return `${reference.registry}/${reference.repository}@${digest}`;
    case "oci":
    case "oci-archive":
    case "docker-archive":
      return `${reference.transport}:${reference.path}@${digest}`;
    case "mmdebstrap":
      return `${formatMmdebstrap(reference)}@${digest}`;
    case "local":
      return reference.name === null
        ? digest
        : `${reference.name.replace(/:[^:/]*$/, "")}@${digest}`;
  }
}

/** True when the same text can mean another image tomorrow: a tag of a registry or of this store. */
export function isMutableReference(reference: ImageReference): boolean {
  return (
    (reference.transport === "docker" || reference.transport === "local") &&
    reference.digest === null
  );
}

function formatMmdebstrap(reference: MmdebstrapReference): string {
  const query = [
    reference.include.length === 0 ? "" : `include=${reference.include.join(",")}`,
    `variant=${reference.variant}`,
    reference.components.join(",") === "main" ? "" : `components=${reference.components.join(",")}`,
  ].filter((part) => part !== "");
  return `mmdebstrap:${reference.suite}?${query.join("&")}`;
}
