import { isSha256Digest } from "../digest.ts";
import { parseDockerReference } from "./docker.ts";
import type { LocalReference } from "./kinds.ts";

/** Reads `local/name[:tag]` and `sha256:<hex>`; null when the text is neither. */
export function parseLocalReference(text: string): LocalReference | null {
  if (isSha256Digest(text)) return { transport: "local", name: null, digest: text };
  if (!text.startsWith("local/")) return null;
  const parsed = parseDockerReference(text, 0);
  const tag = parsed.tag ?? "latest";
  // `local/x` has no host in it, so Docker's rules put all of it into the repository.
  return { transport: "local", name: `${parsed.repository}:${tag}`, digest: parsed.digest };
}
