import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A file of `test/vectors`, which the guest's tests read too. */
export function goldenBytes(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, "../vectors", name), "utf8"));
}
