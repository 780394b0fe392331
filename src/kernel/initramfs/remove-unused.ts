import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Op } from "../../base/op.ts";

const unusedMsMax = 30 * 24 * 3_600_000;

/** Removes initramfs files in `directory` that nobody used for 30 days; each agent build leaves one. */
export async function removeUnused(op: Op, directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names) {
    if (!/^initramfs-[0-9a-f]{32}\.cpio$/.test(name)) continue;
    const path = join(directory, name);
    const facts = await stat(path).catch(() => null);
    if (facts === null || op.clock.now() - facts.mtimeMs < unusedMsMax) continue;
    await rm(path, { force: true }).catch(() => {});
  }
}
