import { isSha256Digest } from "../digest.ts";
import { referenceInvalid } from "./invalid.ts";
import type { DockerReference } from "./kinds.ts";

const hostPattern =
  /^(?:(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])(?:\.(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]))*|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?$/;
const componentPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const nameLengthMax = 255;
const defaultRegistry = "docker.io";

/** Reads `[registry/]repository[:tag][@digest]` from `offset`, filling in what Docker would. */
export function parseDockerReference(text: string, offset: number): DockerReference {
  const at = text.indexOf("@", offset);
  const named = text.slice(offset, at < 0 ? undefined : at);
  const digest = at < 0 ? null : parseDigest(text, at + 1);

  const slash = named.indexOf("/");
  const first = slash < 0 ? "" : named.slice(0, slash);
  const hasRegistry = slash >= 0 && looksLikeHost(first);
  if (hasRegistry && !hostPattern.test(first)) {
    throw referenceInvalid(text, offset, `"${first}" is not a host name with an optional port`);
  }
  if (hasRegistry) checkAddress(text, offset, first);
  const registry = hasRegistry ? canonicalRegistry(first) : defaultRegistry;
  const restAt = hasRegistry ? slash + 1 : 0;
  const rest = named.slice(restAt);

  const colon = rest.lastIndexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? null : parseTag(text, offset + restAt + colon + 1, rest.slice(colon + 1));
  checkPath(text, offset + restAt, path);
  const repository = registry === defaultRegistry && !path.includes("/") ? `library/${path}` : path;
  if (registry.length + 1 + repository.length > nameLengthMax) {
    throw referenceInvalid(
      text,
      offset,
      `names longer than ${nameLengthMax} characters are not allowed`,
    );
  }
  return {
    transport: "docker",
    registry,
    repository,
    tag: tag ?? (digest === null ? "latest" : null),
    digest,
  };
}

/** A host that looks like one may still be no address: a port of five digits, an IP address out of its range. */
function checkAddress(text: string, offset: number, host: string): void {
  const colon = host.lastIndexOf(":");
  const digits = /:([0-9]+)$/.exec(host)?.[1] ?? null;
  if (digits !== null && (Number(digits) < 1 || Number(digits) > 65_535)) {
    const reason = `port ${digits} is not a TCP port: expected 1 to 65535`;
    throw referenceInvalid(text, offset + colon + 1, reason);
  }
  if (URL.canParse(`http://${host}`)) return;
  throw referenceInvalid(text, offset, `"${host}" is not a host name or an IP address`);
}

/** Reads a tag; used by every transport that has tags. */
export function parseTag(text: string, at: number, tag: string): string {
  if (tag === "") throw referenceInvalid(text, at, "a tag is missing after the colon");
  if (!tagPattern.test(tag)) {
    const bad = tag.search(/[^A-Za-z0-9_.-]/);
    const where = at + Math.max(0, bad);
    throw referenceInvalid(
      text,
      where,
      "a tag has at most 128 letters, digits, dots, dashes and underscores, and begins with none of . and -",
    );
  }
  return tag;
}

/** Reads a digest from `at` to the end of the text. */
export function parseDigest(text: string, at: number): string {
  const digest = text.slice(at);
  if (!isSha256Digest(digest)) {
    throw referenceInvalid(
      text,
      at,
      "a digest is sha256: and 64 lower-case hexadecimal digits",
      "Ask the registry for it with: skopeo inspect docker://NAME",
    );
  }
  return digest;
}

function looksLikeHost(first: string): boolean {
  return /[.:]/.test(first) || first === "localhost";
}

function canonicalRegistry(host: string): string {
  const lower = host.toLowerCase();
  return lower === "index.docker.io" || lower === "registry-1.docker.io" ? defaultRegistry : lower;
}

function checkPath(text: string, at: number, path: string): void {
  if (path === "") throw referenceInvalid(text, at, "a repository name is missing");
  let position = at;
  for (const component of path.split("/")) {
    if (!componentPattern.test(component)) {
      const bad = component.search(/[^a-z0-9._-]/);
      const upper = /[A-Z]/.test(component.charAt(bad));
      throw referenceInvalid(
        text,
        position + Math.max(0, bad),
        component === ""
          ? "a name between slashes is missing"
          : upper
            ? "repository names are lower case"
            : `"${component}" is not a repository name (lower-case letters and digits, joined by . _ __ or -)`,
        upper
          ? `Try: ${text.slice(0, at)}${path.toLowerCase()}${text.slice(at + path.length)}`
          : undefined,
      );
    }
    position += component.length + 1;
  }
}
