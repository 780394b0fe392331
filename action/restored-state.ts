import { rm } from "node:fs/promises";
import { openKernels, openStore, stateLayout, verifyImages, withOp } from "../src/index.ts";
import type { CacheEntry } from "./engine-cache.ts";

/**
 * Whether what came out of a cache is what it was when it went in: every byte is read again, and what is not
 * itself is removed, so that it is fetched anew instead of being found broken again and again.
 */
export async function isRestoredWhole(entry: CacheEntry, stateDir: string): Promise<boolean> {
  const layout = stateLayout({ stateDir });
  if (entry.what === "image") {
    const { removed } = await withOp("verify", {}, (op) => verifyImages(op, openStore(layout)));
    return removed.length === 0;
  }
  if (entry.what === "kernel") {
    const verified = await withOp("verify", {}, (op) => openKernels(layout).verify(op));
    const broken = verified.filter(({ problems }) => problems.length > 0);
    for (const { path } of broken) {
      await rm(path, { recursive: true, force: true });
    }
    return broken.length === 0;
  }
  // A template is tried when it is cloned; when that fails it is made again, and saved again.
  return true;
}
