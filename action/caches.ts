import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheTrouble, restoreEntry, saveEntry } from "./cache-service.ts";
import { CancelledError, untilCancelled } from "./cancellation.ts";
import type { CacheEntry } from "./engine-cache.ts";
import { mayReadCache, mayWriteCache, type RunEvent } from "./event-trust.ts";
import { isRestoredWhole } from "./restored-state.ts";

export interface CacheOptions {
  readonly mode: "auto" | "read" | "off";
  readonly event: RunEvent;
  readonly stateDir: string;
  readonly signal: AbortSignal;
  /** Trouble with a cache is told and never fails a run. */
  readonly notice: (text: string) => void;
}

/** The caches of one step: what was found, and what is to be saved at its end. */
export class StepCaches {
  readonly hits = new Set<CacheEntry["what"]>();
  readonly #missed: CacheEntry[] = [];
  readonly #options: CacheOptions;
  #trouble: Promise<string | null> | null = null;

  constructor(options: CacheOptions) {
    this.#options = options;
  }

  /** Brings the entry's files back when there are some. Throws only when the step is cancelled. */
  async restore(entry: CacheEntry): Promise<void> {
    const { mode, event, signal, stateDir, notice } = this.#options;
    if (mode === "off" || !mayReadCache(event)) return;
    if (await untilCancelled(signal, this.#isDown())) return;
    const before = await readFile(this.#mark(entry), "utf8").catch(() => null);
    if (before !== null) {
      // An earlier step of this job has done it.
      if (before === "hit") this.hits.add(entry.what);
      return;
    }
    try {
      const key = await untilCancelled(signal, restoreEntry(entry));
      // Also without a key: an archive that breaks off leaves what came before the break.
      const whole = await isRestoredWhole(entry, stateDir);
      if (key !== null && whole) {
        this.hits.add(entry.what);
        await this.#note(entry, "hit");
        return;
      }
      if (key !== null) notice(`Cache entry "${key}" is damaged: it is made again`);
    } catch (error) {
      if (error instanceof CancelledError) throw error;
      notice(`The ${entry.what} cache cannot be read: ${messageOf(error)}`);
    }
    this.#missed.push(entry);
  }

  /**
   * Saves what was missed and is there now. `renewed` names what this run made although there was something: an
   * entry that is of no use is followed by one that is.
   */
  async save(suffix: string, renewed: ReadonlyMap<CacheEntry["what"], CacheEntry>): Promise<void> {
    const { mode, event, notice } = this.#options;
    if (mode !== "auto" || !mayWriteCache(event) || (await this.#isDown())) return;
    const wanted = new Map(this.#missed.map((entry) => [entry.what, entry]));
    for (const [what, entry] of renewed) wanted.set(what, entry);
    for (const entry of wanted.values()) {
      try {
        if (!(await anyExists(entry.paths))) continue;
        await saveEntry(entry, suffix);
        await this.#note(entry, "saved");
      } catch (error) {
        notice(`The ${entry.what} cache cannot be written: ${messageOf(error)}`);
        // The next one would take as long to fail.
        return;
      }
    }
  }

  async #isDown(): Promise<boolean> {
    if (this.#trouble === null) {
      this.#trouble = cacheTrouble();
      const trouble = await this.#trouble;
      if (trouble !== null) this.#options.notice(`Nothing is cached: ${trouble}`);
    }
    return (await this.#trouble) !== null;
  }

  #mark(entry: CacheEntry): string {
    return join(this.#options.stateDir, "restored", entry.prefix);
  }

  async #note(entry: CacheEntry, what: "hit" | "saved"): Promise<void> {
    const path = this.#mark(entry);
    await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
    await writeFile(path, what);
  }
}

async function anyExists(paths: readonly string[]): Promise<boolean> {
  const found = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
