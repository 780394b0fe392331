import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Op } from "../base/op.ts";
import type { TempDir } from "../host/files.ts";
import { ensurePrivateDir, type StateLayout } from "../host/state-layout.ts";

const abandonedMsMin = 24 * 3_600_000;

/**
 * An empty directory of a fixed name in the cache, removed when it is disposed of. What a killed run
 * left in it goes first; so only one run at a time may hold it, under a lock of the caller's.
 */
export async function emptyScratchDir(layout: StateLayout, name: string): Promise<TempDir> {
  const path = join(layout.cache, name);
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 3 });
  await remove();
  await ensurePrivateDir(path);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await remove().catch(() => {});
    },
  };
}

/** Removes hidden directories in the store that a killed run left there a day ago or earlier. */
export async function removeAbandoned(op: Op, directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(".")) continue;
    const path = join(directory, name);
    const facts = await stat(path).catch(() => null);
    if (facts === null || op.clock.now() - facts.mtimeMs < abandonedMsMin) continue;
    await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}
