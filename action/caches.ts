import { type CacheEntry, restoreEntry, saveEntry } from "./engine-cache.ts";
import { mayReadCache, mayWriteCache, type RunEvent } from "./event-trust.ts";
import { isRestoredWhole } from "./restored-state.ts";

export interface RestoredCaches {
  /** What was found and is whole. */
  readonly hits: ReadonlySet<CacheEntry["what"]>;
  /** To be saved when the run is over. */
  readonly wanted: readonly CacheEntry[];
}

/** Trouble with a cache is told and never fails a run. */
export type Notice = (text: string) => void;

export async function restoreCaches(
  mode: "auto" | "read" | "off",
  entries: readonly CacheEntry[],
  event: RunEvent,
  stateDir: string,
  notice: Notice,
): Promise<RestoredCaches> {
  const hits = new Set<CacheEntry["what"]>();
  const wanted: CacheEntry[] = [];
  if (mode === "off" || !mayReadCache(event)) return { hits, wanted };
  for (const entry of entries) {
    try {
      const key = await restoreEntry(entry);
      if (key !== null && (await isRestoredWhole(entry, stateDir))) hits.add(entry.what);
      else {
        if (key !== null) notice(`Cache entry "${key}" is damaged: it is made again`);
        wanted.push(entry);
      }
    } catch (error) {
      notice(`The ${entry.what} cache cannot be read: ${messageOf(error)}`);
    }
  }
  return { hits, wanted: mode === "auto" && mayWriteCache(event) ? wanted : [] };
}

export async function saveCaches(
  wanted: readonly CacheEntry[],
  suffix: string,
  notice: Notice,
): Promise<void> {
  for (const entry of wanted) {
    try {
      await saveEntry(entry, suffix);
    } catch (error) {
      notice(`The ${entry.what} cache cannot be written: ${messageOf(error)}`);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
