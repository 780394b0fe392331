import { createHash } from "node:crypto";

const sha256Pattern = /^sha256:[0-9a-f]{64}$/;

/** True for `sha256:` and 64 lower-case hexadecimal digits, the only algorithm we accept. */
export function isSha256Digest(text: string): boolean {
  return sha256Pattern.test(text);
}

/** The digest of bytes in memory as `sha256:<hex>`. */
export function sha256Of(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The hexadecimal part, which is also the file name of a blob. */
export function digestHex(digest: string): string {
  return digest.slice("sha256:".length);
}

/** The first twelve digits, enough for people to tell blobs apart. */
export function shortDigest(digest: string): string {
  return digestHex(digest).slice(0, 12);
}
