import type { Automaton, Beginning } from "./automaton.ts";
import type { Needle } from "./needles.ts";
import type { Trie } from "./trie.ts";

/** A beginning of a needle that the bytes so far fit. */
interface Partial {
  readonly needle: Needle;
  /** The unit that is being read, or whose separator is. */
  readonly unit: number;
  /** Null: before the unit and before a separator. */
  readonly node: Trie | null;
  readonly isBetween: boolean;
  readonly start: number;
}

/** So many at once only when a value repeats itself; from here on those that are the same are joined. */
const manyPartials = 64;

/** Looks for needles in bytes that come piece by piece. Offsets count from the first byte of all. */
export class Search {
  readonly #onMatch: (start: number, end: number) => void;
  #partials: Partial[] = [];
  #before: Partial[] = [];

  constructor(onMatch: (start: number, end: number) => void) {
    this.#onMatch = onMatch;
  }

  push(automaton: Automaton, bytes: Uint8Array, offset: number): void {
    for (let at = 0; at < bytes.length; at++) {
      if (this.#partials.length === 0) at = automaton.skip(bytes, at);
      this.#step(bytes[at] ?? 0, offset + at, automaton.beginningsAt(bytes, at));
    }
  }

  /** From where on bytes may belong to a needle whose end has not come yet; `end` when there are none. */
  undecidedFrom(end: number): number {
    let from = end;
    for (const { needle, unit, start } of this.#partials) {
      // A single byte that merely could begin an encoded form is let go: it gives away less than itself.
      const isKept = end - start > 1 || (needle.isPlain && unit > 0);
      if (isKept && start < from) from = start;
    }
    return from;
  }

  #step(byte: number, offset: number, beginnings: Iterable<Beginning>): void {
    const before = this.#partials;
    this.#partials = this.#before;
    this.#before = before;
    for (const partial of before) {
      const { needle, unit, node, isBetween, start } = partial;
      if (node !== null) {
        this.#advance(needle, unit, node.next.get(byte), isBetween, start, offset);
        continue;
      }
      if (!needle.isSeparated) {
        this.#advance(needle, unit, needle.units[unit]?.next.get(byte), false, start, offset);
      }
      this.#advance(needle, unit, needle.separators.next.get(byte), true, start, offset);
    }
    before.length = 0;
    for (const { needle, node } of beginnings)
      this.#advance(needle, 0, node, false, offset, offset);
    if (this.#partials.length > manyPartials) this.#join();
  }

  #advance(
    needle: Needle,
    unit: number,
    node: Trie | undefined,
    isBetween: boolean,
    start: number,
    offset: number,
  ): void {
    if (node === undefined) return;
    if (node.next.size > 0) this.#partials.push({ needle, unit, node, isBetween, start });
    if (!node.accepts) return;
    if (isBetween) {
      const root = needle.units[unit] ?? null;
      this.#partials.push({ needle, unit, node: root, isBetween: false, start });
    } else if (unit + 1 < needle.units.length) {
      this.#partials.push({ needle, unit: unit + 1, node: null, isBetween: false, start });
    } else {
      this.#onMatch(start, offset + 1);
    }
  }

  /** The first of those that are the same began first, and hides more. */
  #join(): void {
    const first = new Map<string, Partial>();
    for (const partial of this.#partials) {
      const { needle, unit, node, isBetween } = partial;
      const key = `${needle.id} ${unit} ${node?.id ?? ""} ${isBetween}`;
      if (!first.has(key)) first.set(key, partial);
    }
    this.#partials = [...first.values()];
  }
}
