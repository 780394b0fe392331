import type { CacheEntry } from "./engine-cache.ts";

/** Longer than this nobody waits to learn whether there are caches. */
const answerMs = 5_000;
/** A part of a download that takes longer costs more than it saves. */
const partMs = 120_000;
const saveMs = 300_000;

/**
 * Why the job has no cache to use right now, null when it has. The toolkit's client tries for half a minute
 * before it gives up, and then calls it an error: asked once, shortly, it costs nothing to do without.
 */
export async function cacheTrouble(env: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  const { ACTIONS_RESULTS_URL: url, ACTIONS_RUNTIME_TOKEN: token } = env;
  if (env.ACTIONS_CACHE_SERVICE_V2 === undefined) {
    return env.ACTIONS_CACHE_URL === undefined ? "this runner has no cache service" : null;
  }
  if (url === undefined || token === undefined) return "this runner has no cache service";
  const call = "twirp/github.actions.results.api.v1.CacheService/GetCacheEntryDownloadURL";
  try {
    const response = await fetch(new URL(call, url), {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ key: "microagent-none", restore_keys: [], version: "0".repeat(64) }),
      signal: AbortSignal.timeout(answerMs),
    });
    await response.body?.cancel();
    const fails = response.status >= 500 || response.status === 429;
    return fails ? `the cache service answers ${response.status}` : null;
  } catch (error) {
    return `the cache service does not answer (${error instanceof Error ? error.name : "?"})`;
  }
}

/**
 * Restores the newest entry under the prefix; its key, null when there is none. Entries cannot be replaced, so
 * each is saved under a suffix of its own: after a broken one a whole one is saved, and being newer it wins.
 */
export async function restoreEntry(entry: CacheEntry): Promise<string | null> {
  const { restoreCache } = await import("@actions/cache");
  const key = await restoreCache([...entry.paths], `${entry.prefix}none`, [entry.prefix], {
    segmentTimeoutInMs: partMs,
    timeoutInMs: 30_000,
  });
  return key ?? null;
}

/** Saves what is there now. Throws when the service does not take it, which is known after half a minute only. */
export async function saveEntry(entry: CacheEntry, suffix: string): Promise<void> {
  const { saveCache } = await import("@actions/cache");
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${saveMs / 1000} s`)), saveMs);
  });
  const saved = saveCache([...entry.paths], `${entry.prefix}${suffix}`);
  const id = await Promise.race([saved, late]).finally(() => clearTimeout(timer));
  // The client says why in the log, and only that it failed to us.
  if (id === -1) throw new Error("the service did not take it");
}
