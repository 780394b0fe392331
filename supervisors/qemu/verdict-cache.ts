import { createHash } from "node:crypto";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../../src/host/files.ts";
import { ensurePrivateDir } from "../../src/host/state-layout.ts";

/** What was found out once and holds as long as its key does; `text` says what or why. */
export interface Verdict {
  readonly ok: boolean;
  readonly text: string;
  /** Milliseconds since the epoch after which it no longer holds; without it, it holds with its key. */
  readonly untilMs?: number;
}

/** File name for a verdict about exactly these inputs. */
export function verdictKey(topic: string, inputs: readonly string[]): string {
  const hash = createHash("sha256").update(JSON.stringify(inputs)).digest("hex");
  return `${topic}-${hash.slice(0, 32)}.json`;
}

/** The longest that a verdict may hold for a while: a later end is the work of a clock that was set. */
export const passingMs = 60 * 60_000;

/** A verdict of an earlier run; null when there is none, it no longer holds or cannot be read. */
export async function readVerdict(
  cacheDir: string,
  key: string,
  nowMs: number,
): Promise<Verdict | null> {
  try {
    const value: unknown = JSON.parse(await readFile(join(cacheDir, key), "utf8"));
    if (typeof value !== "object" || value === null) return null;
    const { ok, text, untilMs } = value as Record<string, unknown>;
    if (typeof ok !== "boolean" || typeof text !== "string") return null;
    if (typeof untilMs !== "number") return { ok, text };
    return nowMs < untilMs && untilMs - nowMs <= passingMs ? { ok, text, untilMs } : null;
  } catch {
    return null;
  }
}

/** How many verdicts of one topic are kept. */
export const verdictsMax = 64;

/** Keeps a verdict for later runs, and lets the oldest ones of its topic go. */
export async function writeVerdict(cacheDir: string, key: string, verdict: Verdict): Promise<void> {
  await ensurePrivateDir(cacheDir);
  await writeFileAtomic(join(cacheDir, key), `${JSON.stringify(verdict)}\n`);
  await forgetOldest(cacheDir, key.slice(0, key.lastIndexOf("-") + 1));
}

/** Nobody asks again for a verdict about an older kernel, guest agent or boot of the host. */
async function forgetOldest(cacheDir: string, prefix: string): Promise<void> {
  const names = (await readdir(cacheDir)).filter((name) => {
    return name.startsWith(prefix) && /^[0-9a-f]{32}\.json$/.test(name.slice(prefix.length));
  });
  if (names.length <= verdictsMax) return;
  const dated = await Promise.all(
    names.map(async (name) => {
      const path = join(cacheDir, name);
      // Somebody else may have removed it meanwhile.
      return { path, atMs: (await stat(path).catch(() => null))?.mtimeMs ?? 0 };
    }),
  );
  dated.sort((a, b) => b.atMs - a.atMs);
  for (const { path } of dated.slice(verdictsMax)) await rm(path, { force: true }).catch(() => {});
}
