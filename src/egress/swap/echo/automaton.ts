import type { Needle } from "./needles.ts";
import { neighboursIn, type Trie } from "./trie.ts";

/** A needle whose first unit may begin with some byte, and where that leads. */
export interface Beginning {
  readonly needle: Needle;
  readonly node: Trie;
}

/** How many units of a needle are looked at to find where it may be. */
const unitsMax = 64;

/**
 * Finds the places where a needle may begin. Most of a text is passed over: in a window as long as the shortest
 * needle, a pair of neighbours that no needle has rules out every beginning up to it, and the last pair is looked
 * at first. What is left are places whose first three bytes are those of a needle.
 */
export class Automaton {
  readonly #pairs = new Uint8Array(1 << 16);
  /** By the first three bytes. */
  readonly #heads = new Map<number, Set<Beginning>>();
  /** A bit for each hash of a head. */
  readonly #headBits = new Uint32Array(headBits / 32);
  readonly #beginnings: Beginning[][] = Array.from({ length: 256 }, () => []);
  readonly #window: number;

  constructor(needles: readonly Needle[]) {
    let window = unitsMax;
    for (const needle of needles) {
      window = Math.min(window, needle.units.length);
      for (const [byte, node] of needle.units[0]?.next ?? []) {
        const beginning = { needle, node };
        this.#beginnings[byte]?.push(beginning);
        this.#noteHeads(beginning, node, 0, [byte]);
      }
      this.#noteNeighbours(needle);
    }
    this.#window = window;
  }

  /** The needles that may begin at this place. */
  beginningsAt(bytes: Uint8Array, at: number): Iterable<Beginning> {
    if (at + 2 >= bytes.length) return this.#beginnings[bytes[at] ?? 0] ?? [];
    if (!this.#isHead(bytes, at)) return [];
    return this.#heads.get(headAt(bytes, at)) ?? [];
  }

  /** The first place from `from` on where a needle may begin; the last two are not ruled out. */
  skip(bytes: Uint8Array, from: number): number {
    const pairs = this.#pairs;
    const last = bytes.length - 2;
    let at = from;
    while (at < last) {
      const far = Math.min(at + this.#window - 2, last - 1);
      let pair = far;
      while (pair >= at && pairs[((bytes[pair] ?? 0) << 8) | (bytes[pair + 1] ?? 0)] !== 0) {
        pair -= 1;
      }
      if (pair < at) {
        for (; at <= far; at++) if (this.#isHead(bytes, at)) return at;
      } else {
        at = pair + 1;
      }
    }
    return at;
  }

  #isHead(bytes: Uint8Array, at: number): boolean {
    const hash = hashOf(headAt(bytes, at));
    return ((this.#headBits[hash >> 5] ?? 0) & (1 << (hash & 31))) !== 0;
  }

  #noteNeighbours(needle: Needle): void {
    const { separators, isSeparated } = needle;
    const between = neighboursIn(separators);
    this.#mark(between.pairs);
    let before: readonly number[] = [];
    for (const unit of needle.units.slice(0, unitsMax)) {
      const { pairs, firsts, lasts } = neighboursIn(unit);
      this.#mark(pairs);
      if (!isSeparated) this.#markAll(before, firsts);
      this.#markAll(before, between.firsts);
      this.#markAll(between.lasts, firsts);
      before = lasts;
    }
  }

  /** Walks on from `node`, where `head` has led: every way to write the first three bytes. */
  #noteHeads(beginning: Beginning, node: Trie, unit: number, head: readonly number[]): void {
    if (head.length === 3) {
      this.#noteHead(beginning, ((head[0] ?? 0) << 16) | ((head[1] ?? 0) << 8) | (head[2] ?? 0));
      return;
    }
    const follow = (root: Trie | undefined, next: number) => {
      for (const [byte, child] of root?.next ?? []) {
        this.#noteHeads(beginning, child, next, [...head, byte]);
      }
    };
    follow(node, unit);
    if (!node.accepts) return;
    // A separator has the number of the unit that it leads to, below zero.
    const { units, separators, isSeparated } = beginning.needle;
    const isBetween = unit < 0;
    const next = isBetween ? -unit : unit + 1;
    if (isBetween || !isSeparated) follow(units[next], next);
    if (!isBetween) follow(separators, -next);
  }

  #noteHead(beginning: Beginning, head: number): void {
    const known = this.#heads.get(head);
    if (known === undefined) this.#heads.set(head, new Set([beginning]));
    else known.add(beginning);
    const hash = hashOf(head);
    this.#headBits[hash >> 5] = (this.#headBits[hash >> 5] ?? 0) | (1 << (hash & 31));
  }

  #mark(pairs: readonly number[]): void {
    for (const pair of pairs) this.#pairs[pair] = 1;
  }

  #markAll(lefts: readonly number[], rights: readonly number[]): void {
    for (const left of lefts) for (const right of rights) this.#pairs[left * 256 + right] = 1;
  }
}

const headBits = 1 << 21;

function headAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
}

function hashOf(head: number): number {
  return Math.imul(head, 0x9e3779b1) >>> 11;
}
