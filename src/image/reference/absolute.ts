import { resolve } from "node:path";
import type { ImageReference } from "./kinds.ts";

/** The reference with its path, if it has one, made absolute from `baseDir` or the working directory. */
export function absoluteReference<R extends ImageReference>(reference: R, baseDir?: string): R {
  if (!("path" in reference)) return reference;
  return { ...reference, path: resolve(baseDir ?? ".", reference.path) };
}
