import { limits } from "../../base/limits.ts";
import type { SparseExtent } from "./entry.ts";
import { blockBytes } from "./header.ts";
import { parseNumeric } from "./numeric.ts";
import { pairExtents } from "./pax.ts";

interface OldSparseMap {
  readonly extents: SparseExtent[];
  readonly realSize: number;
  /** A further block with extents follows. */
  readonly continues: boolean;
}

/** The extents inside an old GNU sparse header (4 of them) or one of its continuations (21). */
export function sparseExtentsOfHeader(
  block: Buffer,
  at: number,
  kind: "header" | "continuation",
): OldSparseMap {
  const first = kind === "header" ? 386 : 0;
  const count = kind === "header" ? 4 : 21;
  const extents: SparseExtent[] = [];
  for (let i = 0; i < count; i++) {
    const slot = at + first + i * 24;
    // An unused slot is all NUL; writers end the list with an extent of length 0.
    if (block[slot] === 0) break;
    extents.push({
      offset: parseNumeric(block, slot, 12),
      length: parseNumeric(block, slot + 12, 12),
    });
  }
  const flag = at + first + count * 24;
  return {
    extents,
    realSize: kind === "header" ? parseNumeric(block, at + 483, 12) : 0,
    continues: block[flag] !== 0,
  };
}

/** Collects the decimal lines of a GNU.sparse 1.0 map: the count, then offset and length of each. */
export class SparseMapText {
  #digits = "";
  readonly #numbers: number[] = [];

  /** Takes one block: the map is complete, goes on in the next block, or is none. */
  push(block: Buffer, at: number): "done" | "more" | "bad" {
    for (let i = at; i < at + blockBytes; i++) {
      const byte = block[i] ?? 0;
      if (byte === 0x0a) {
        if (this.#digits === "") return "bad";
        this.#numbers.push(Number(this.#digits));
        this.#digits = "";
        const count = this.#numbers[0] ?? 0;
        if (count > limits.image.sparseExtentsMax) return "bad";
        if (this.#numbers.length === 1 + 2 * count) return "done";
      } else {
        if (byte < 0x30 || byte > 0x39 || this.#digits.length > 16) return "bad";
        this.#digits += String.fromCharCode(byte);
      }
    }
    return "more";
  }

  extents(): SparseExtent[] {
    return pairExtents(this.#numbers.slice(1)) ?? [];
  }
}

/**
 * True when extents are in order, do not overlap, stay inside `realSize` and hold exactly
 * `storedBytes`: anything else is a map that tools would read differently.
 */
export function isSparseMapValid(
  extents: readonly SparseExtent[],
  realSize: number,
  storedBytes: number,
): boolean {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of extents) {
    if (!(offset >= end) || !(length >= 0)) return false;
    end = offset + length;
    sum += length;
    if (!(end <= realSize)) return false;
  }
  return sum === storedBytes && Number.isSafeInteger(realSize);
}
