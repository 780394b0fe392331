import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { SentFile } from "../wire/frames.ts";

/** Writes a file of the host's where it is there. */
export function writeSentFile({ path, data }: SentFile): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, data);
}

/**
 * The file that a worker's report of coverage names: from Vitest 5 on it writes what it has counted itself, and
 * reports the path. Null for everything else.
 */
export function coverageFileOf(message: unknown): SentFile | null {
  const { m: method, a: args } = (message ?? {}) as Readonly<Record<string, unknown>>;
  if (method !== "onAfterSuiteRun" || !Array.isArray(args)) return null;
  const path = (args[0] as { readonly coverage?: unknown } | undefined)?.coverage;
  if (typeof path !== "string") return null;
  const data = readFileSync(path);
  rmSync(path);
  return { path, data };
}
