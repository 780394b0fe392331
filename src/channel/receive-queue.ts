/** Pieces from this size on are kept as views; smaller ones are copied together. */
const copyBelowBytes = 16 * 1024;
const storeBytes = 32 * 1024;

interface Entry {
  bytes: Buffer;
  used: number;
}

/**
 * Bytes received and not yet read. A view pins the whole chunk it came from, so a peer that sends
 * one byte per chunk could pin far more than its window: small pieces are therefore copied into
 * shared stores, which keeps the memory within a small multiple of the bytes held.
 */
export class ReceiveQueue {
  #entries: Entry[] = [];
  #head = 0;
  #bytes = 0;

  /** Bytes that can be shifted. */
  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#head === this.#entries.length;
  }

  push(piece: Buffer): void {
    this.#bytes += piece.length;
    if (piece.length >= copyBelowBytes) {
      this.#entries.push({ bytes: piece, used: piece.length });
      return;
    }
    const tail = this.empty ? undefined : this.#entries[this.#entries.length - 1];
    if (tail !== undefined && tail.bytes.length - tail.used >= piece.length) {
      tail.used += piece.copy(tail.bytes, tail.used);
      return;
    }
    // A lone piece (a reply, a line of output) gets an exact copy; a series gets room to grow.
    const store = this.empty ? Buffer.from(piece) : Buffer.allocUnsafeSlow(storeBytes);
    if (!this.empty) piece.copy(store, 0);
    this.#entries.push({ bytes: store, used: piece.length });
  }

  /** The oldest piece, or undefined when there is none. */
  shift(): Buffer | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#entries[this.#head] = spent;
    this.#head += 1;
    this.#bytes -= entry.used;
    if (this.#head === this.#entries.length || this.#head >= 1024) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry.bytes.subarray(0, entry.used);
  }

  clear(): void {
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}

const spent: Entry = { bytes: Buffer.alloc(0), used: 0 };
