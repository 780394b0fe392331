import { readFile, utimes } from "node:fs/promises";
import { clearInterval, setInterval } from "node:timers";
import { realClock } from "../base/op.ts";
import { hostEnvironment } from "./environment.ts";
import { writeFileAtomic } from "./files.ts";
import { livenessOf, type ProcessIdentity } from "./process-identity.ts";

/**
 * A sign of life for observers that cannot look at our pid: other containers and other hosts that
 * share the state directory. The owner touches its file; whoever cannot judge the pid watches the file.
 */
const beatMs = 5_000;
/** A file this old is suspect, and one that stays untouched for this long under observation is silent. */
const staleMs = 60_000;
/** A suspect is watched for three beats: its age may be the work of a clock that jumped or slept. */
const watchMs = 3 * beatMs;

/** Touches `path` now and then until the returned function is called; never keeps the process alive. */
export function startHeartbeat(path: string): () => void {
  const timer = setInterval(() => {
    const now = new Date(realClock.now());
    utimes(path, now, now).catch(() => {});
  }, beatMs);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * What can be said of an owner at once. Our own pid name space answers exactly; a foreign or unreadable
 * owner is `silent` when its file looks old, which only watching the file can confirm.
 */
export function ownerState(
  owner: ProcessIdentity | null,
  touchedAtMs: number,
): "alive" | "gone" | "silent" {
  const liveness = owner === null ? "foreign" : livenessOf(owner);
  if (liveness !== "foreign") return liveness === "dead" ? "gone" : "alive";
  return realClock.now() - touchedAtMs > staleMs ? "silent" : "alive";
}

/** Watches one file by a clock that nobody sets. */
export class BeatWatch {
  #touchedAtMs = Number.NaN;
  #sinceMs = 0;

  /** True when the file has stayed as it is for as long as it takes to take its owner for gone. */
  isSilent(touchedAtMs: number, monotonicMs: number): boolean {
    if (touchedAtMs !== this.#touchedAtMs) {
      this.#touchedAtMs = touchedAtMs;
      this.#sinceMs = monotonicMs;
    }
    return monotonicMs - this.#sinceMs >= watchFor(touchedAtMs);
  }
}

/** Name of the note about a silent file. */
export function watchNoteOf(path: string): string {
  return `${path}.silent`;
}

/**
 * As `BeatWatch`, over several processes of one boot that come by now and then: the first one leaves a note
 * beside the file, a later one finds the file as the note says, or writes the note anew.
 */
export async function isSilentSinceNoted(path: string, touchedAtMs: number): Promise<boolean> {
  const { bootId } = hostEnvironment;
  const monotonicMs = Number(process.hrtime.bigint() / 1_000_000n);
  const noted = await readNote(watchNoteOf(path));
  if (noted?.touchedAtMs === touchedAtMs && noted.bootId === bootId) {
    return monotonicMs - noted.monotonicMs >= watchFor(touchedAtMs);
  }
  await writeFileAtomic(watchNoteOf(path), JSON.stringify({ touchedAtMs, bootId, monotonicMs }));
  return false;
}

function watchFor(touchedAtMs: number): number {
  return realClock.now() - touchedAtMs > staleMs ? watchMs : staleMs;
}

interface WatchNote {
  readonly touchedAtMs: number;
  readonly bootId: string | null;
  readonly monotonicMs: number;
}

async function readNote(path: string): Promise<WatchNote | null> {
  try {
    const { touchedAtMs, bootId, monotonicMs } = JSON.parse(await readFile(path, "utf8"));
    return typeof monotonicMs === "number" ? { touchedAtMs, bootId, monotonicMs } : null;
  } catch {
    return null;
  }
}
