import { posix } from "node:path";

/** A guest path without `.`, `..`, doubled and trailing slashes. */
export function cleanGuestPath(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}
