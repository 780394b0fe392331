import type { Clock } from "../base/op.ts";
import type { Resolution } from "./resolver.ts";

const entriesMax = 4_096;
const heldAtMostMs = 3_600_000;
/** What is not there now may be there soon. */
const absentMs = 5_000;

interface Entry {
  readonly resolution: Resolution;
  readonly storedAt: number;
  readonly until: number;
}

/** Answers until their time to live is over, and questions on their way, each asked once. */
export class DnsCache {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #underway = new Map<string, Promise<Resolution>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get underway(): number {
    return this.#underway.size;
  }

  async get(key: string, ask: () => Promise<Resolution>): Promise<Resolution> {
    const known = this.#known(key);
    if (known !== null) return known;
    const asked = this.#underway.get(key);
    if (asked !== undefined) return await asked;
    const asking = ask().finally(() => this.#underway.delete(key));
    this.#underway.set(key, asking);
    const resolution = await asking;
    this.#store(key, resolution);
    return resolution;
  }

  /** With the time that has passed taken off. */
  #known(key: string): Resolution | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    const now = this.#clock.monotonic();
    if (entry.until <= now) {
      this.#entries.delete(key);
      return null;
    }
    const { resolution } = entry;
    if (resolution.kind !== "records") return resolution;
    const age = Math.floor((now - entry.storedAt) / 1000);
    const records = resolution.records.map((one) => ({ ...one, ttl: Math.max(1, one.ttl - age) }));
    return { kind: "records", records };
  }

  #store(key: string, resolution: Resolution): void {
    if (resolution.kind === "failed") return;
    const now = this.#clock.monotonic();
    const heldMs =
      resolution.kind === "records"
        ? Math.min(heldAtMostMs, ...resolution.records.map(({ ttl }) => ttl * 1000))
        : absentMs;
    if (heldMs <= 0) return;
    this.#entries.delete(key);
    this.#entries.set(key, { resolution, storedAt: now, until: now + heldMs });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= entriesMax) break;
      this.#entries.delete(oldest);
    }
  }
}
