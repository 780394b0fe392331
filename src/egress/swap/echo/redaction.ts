import type { Automaton } from "./automaton.ts";
import { Search } from "./search.ts";

interface Piece {
  readonly bytes: Buffer;
  readonly from: number;
  /** May be written to. */
  readonly isOwn: boolean;
  /** Passes as it is. */
  readonly isOpaque: boolean;
}

/** One text that passes in pieces, with stars in the place of what is found. */
export class Redaction {
  readonly #automaton: () => Automaton;
  readonly #search: Search;
  #kept: Piece[] = [];
  #offset = 0;

  constructor(automaton: () => Automaton, onFound: () => void) {
    this.#automaton = automaton;
    this.#search = new Search((start, end) => {
      onFound();
      this.#star(start, end);
    });
  }

  /** How many pieces wait for what follows. */
  get pieces(): number {
    return this.#kept.length;
  }

  /** Takes what arrived, and gives back what may pass. What was given is not written to. */
  push(bytes: Buffer): readonly Buffer[] {
    const from = this.#offset;
    this.#kept.push({ bytes, from, isOwn: false, isOpaque: false });
    this.#offset += bytes.length;
    this.#search.push(this.#automaton(), bytes, from);
    return this.#release(this.#search.undecidedFrom(this.#offset));
  }

  /** Bytes that stand between two parts of the text and do not belong to it. */
  pass(bytes: Buffer): readonly Buffer[] {
    this.#kept.push({ bytes, from: this.#offset, isOwn: false, isOpaque: true });
    this.#offset += bytes.length;
    return this.#release(this.#search.undecidedFrom(this.#offset));
  }

  end(): readonly Buffer[] {
    return this.#release(this.#offset);
  }

  #star(start: number, end: number): void {
    this.#kept = this.#kept.map((piece) => {
      const from = Math.max(start - piece.from, 0);
      const to = Math.min(end - piece.from, piece.bytes.length);
      if (piece.isOpaque || from >= to) return piece;
      const bytes = piece.isOwn ? piece.bytes : Buffer.from(piece.bytes);
      bytes.fill("*", from, to);
      return { ...piece, bytes, isOwn: true };
    });
  }

  #release(until: number): readonly Buffer[] {
    const last = this.#kept.at(-1);
    if (last === undefined) return [];
    if ((this.#kept[0]?.from ?? 0) >= until) {
      if (!last.isOwn) this.#kept[this.#kept.length - 1] = { ...last, ...owned(last.bytes) };
      return [];
    }
    const passed: Buffer[] = [];
    const kept: Piece[] = [];
    for (const piece of this.#kept) {
      const cut = Math.min(Math.max(until - piece.from, 0), piece.bytes.length);
      if (cut > 0) passed.push(piece.bytes.subarray(0, cut));
      if (cut === piece.bytes.length) continue;
      const isAsBefore = piece.isOwn && cut === 0;
      kept.push(
        isAsBefore
          ? piece
          : { ...piece, ...owned(piece.bytes.subarray(cut)), from: piece.from + cut },
      );
    }
    this.#kept = kept;
    return passed;
  }
}

/** A copy, so that a few bytes do not keep alive the large piece that they came with. */
function owned(bytes: Buffer) {
  return { bytes: Buffer.from(bytes), isOwn: true };
}
