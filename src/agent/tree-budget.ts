import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { printable } from "../channel/printable.ts";
import type { SkippedEntry } from "./tree-manifest.ts";

/** What trees of a guest may take on this host. */
export interface TreeCapacity {
  /** Entries of every kind, refused and unreadable ones included. */
  readonly entriesMax: number;
  /** File content, holes included. */
  readonly bytesMax: number;
  /** Paths and link targets. */
  readonly nameBytesMax: number;
  /** Zeros of holes that are hashed. A hole costs the guest nothing, and its digest costs as much as data. */
  readonly hashedHoleBytesMax: number;
  /** Entries left out that are recorded one by one; the others are counted. */
  readonly recordsMax: number;
}

const { outputs } = limits;

const usualCapacity: TreeCapacity = {
  entriesMax: outputs.filesMax,
  bytesMax: outputs.bytesMax,
  nameBytesMax: outputs.nameBytesMax,
  hashedHoleBytesMax: outputs.hashedHoleBytesMax,
  recordsMax: outputs.recordsMax,
};

/** What a guest may be asked to send of one more tree. */
export interface TreeCapacityLeft {
  readonly entries: number;
  readonly bytes: number;
  readonly nameBytes: number;
  readonly records: number;
}

/** One capacity that several trees share: what one takes, the next cannot. */
export class TreeBudget {
  readonly #capacity: TreeCapacity;
  #entries = 0;
  #bytes = 0;
  #nameBytes = 0;
  #hashedHoleBytes = 0;
  #records = 0;

  constructor(capacity: Partial<TreeCapacity> = {}) {
    this.#capacity = { ...usualCapacity, ...capacity };
  }

  /** What a guest may be asked to send of one more tree. */
  get left(): TreeCapacityLeft {
    const { entriesMax, bytesMax, nameBytesMax, recordsMax } = this.#capacity;
    return {
      entries: entriesMax - this.#entries,
      bytes: bytesMax - this.#bytes,
      nameBytes: nameBytesMax - this.#nameBytes,
      records: Math.max(0, recordsMax - this.#records),
    };
  }

  /** Takes one entry with the text it came with. `output_refused` when there is no capacity for it. */
  takeEntry(...texts: readonly (string | null)[]): void {
    const { entriesMax, nameBytesMax } = this.#capacity;
    this.#entries += 1;
    if (this.#entries > entriesMax) throw exceeded("entries", entriesMax);
    for (const text of texts) this.#nameBytes += Buffer.byteLength(text ?? "");
    if (this.#nameBytes > nameBytesMax) throw exceeded("bytes of names", nameBytesMax);
  }

  /** Takes entries that came without a text: they are only counted. */
  takeCounted(entries: number): void {
    const { entriesMax } = this.#capacity;
    this.#entries += entries;
    this.#records += entries;
    if (this.#entries > entriesMax) throw exceeded("entries", entriesMax);
  }

  takeBytes(bytes: number): void {
    const { bytesMax } = this.#capacity;
    if (this.#bytes + bytes > bytesMax) throw exceeded("bytes", bytesMax);
    this.#bytes += bytes;
  }

  /** Whether so many zeros may be hashed. */
  takeHashedHole(bytes: number): boolean {
    if (this.#hashedHoleBytes + bytes > this.#capacity.hashedHoleBytesMax) return false;
    this.#hashedHoleBytes += bytes;
    return true;
  }

  /** An entry that was left out, its texts shortened; null when it is only counted. */
  record(path: string, type: string, reason: string): SkippedEntry | null {
    this.#records += 1;
    if (this.#records > this.#capacity.recordsMax) return null;
    return {
      path: printable(path, outputs.recordedNameCharsMax),
      type,
      reason: printable(reason, 2 * outputs.recordedNameCharsMax),
    };
  }
}

/** The failure of a tree for which there is no capacity. */
export function exceeded(what: string, max: number): MicroagentError {
  return new MicroagentError(
    "output_refused",
    `The guest's trees have more than ${max} ${what}, so the rest stays in the guest`,
    { details: { max } },
  );
}
