import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** Removes the temporary files that killed writers left in a directory, if they are older than `before` (ms). */
export async function sweepUnfinished(dir: string, before: number): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    if (!name.startsWith(".")) continue;
    const path = join(dir, name);
    const facts = await stat(path).catch(() => null);
    if (facts !== null && facts.mtimeMs < before) await rm(path, { force: true });
  }
}
