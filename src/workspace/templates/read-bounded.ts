import { readFile, stat } from "node:fs/promises";

/** A small file's text; null when it is missing, unreadable or larger than `bytesMax`. */
export async function readFileBounded(path: string, bytesMax: number): Promise<string | null> {
  const facts = await stat(path).catch(() => null);
  if (facts === null || facts.size > bytesMax) return null;
  return await readFile(path, "utf8").catch(() => null);
}
