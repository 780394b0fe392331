import { createHash } from "node:crypto";
import { cpus } from "node:os";
import { join } from "node:path";

/** One kind of thing that is carried from run to run. */
export interface CacheEntry {
  readonly what: "kernel" | "image" | "template";
  /** Absolute paths; the same on every run, for they are part of an entry's identity. */
  readonly paths: readonly string[];
  /** Everything that must agree for an entry to be of use. */
  readonly prefix: string;
}

export interface CacheFacts {
  readonly state: string;
  readonly arch: string;
  readonly version: string;
  readonly vmm: string;
  readonly image: string;
  /** Of the Agentfile and the inputs that shape the machine. */
  readonly spec: string;
  readonly template: boolean;
}

/** Which entries a run uses. A guest-writable disk is never among them. */
export function cacheEntries(facts: CacheFacts): CacheEntry[] {
  const key = (what: string, ...parts: string[]) =>
    `microagent-${what}-1-${facts.arch}-${hash(parts)}-`;
  const entries: CacheEntry[] = [
    {
      what: "kernel",
      paths: [join(facts.state, "kernels")],
      prefix: key("kernel", facts.version),
    },
    {
      what: "image",
      paths: [join(facts.state, "images", "blobs"), join(facts.state, "images", "names")],
      prefix: key("image", facts.image),
    },
  ];
  if (facts.template) {
    const cpu = `${cpus()[0]?.model ?? "unknown"} ${cpus().length}`;
    entries.push({
      what: "template",
      paths: [join(facts.state, "templates")],
      prefix: key("template", facts.version, facts.vmm, cpu, facts.spec),
    });
  }
  return entries;
}

/**
 * Restores the newest entry under the prefix. Entries cannot be replaced, so each is saved under a suffix of
 * its own: after a broken one a whole one is saved, and being newer it wins.
 */
export async function restoreEntry(entry: CacheEntry): Promise<string | null> {
  const { restoreCache } = await import("@actions/cache");
  const key = await bounded(restoreCache([...entry.paths], `${entry.prefix}none`, [entry.prefix]));
  return key ?? null;
}

/** Saves what is there now; whoever was first with this suffix wins. */
export async function saveEntry(entry: CacheEntry, suffix: string): Promise<void> {
  const { saveCache } = await import("@actions/cache");
  await bounded(saveCache([...entry.paths], `${entry.prefix}${suffix}`));
}

/** Longer than this a cache saves nothing. */
const cacheMs = 120_000;

async function bounded<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${cacheMs / 1000} s`)), cacheMs);
    timer.unref();
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function hash(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 24);
}
