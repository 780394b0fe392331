const blockBytesMin = 1024;
const blockBytesMax = 1024 * 1024;

/**
 * Bytes that arrive in pieces, copied into blocks. A list of the pieces would cost a hundred bytes for each, and a peer that
 * sends one byte at a time would make the host hold a hundred times what it counts; here it is at most twice.
 */
export class GatheredBytes {
  readonly #bytesMax: number;
  /** All of them full but the last one. */
  readonly #blocks: Uint8Array[] = [];
  #usedOfLast = 0;
  #length = 0;

  /** Keeps the first `bytesMax` bytes. */
  constructor(bytesMax: number = Number.MAX_SAFE_INTEGER) {
    this.#bytesMax = bytesMax;
  }

  get length(): number {
    return this.#length;
  }

  /** Copies what there is room for; false when something was left out. */
  add(data: Uint8Array): boolean {
    const kept = Math.min(data.length, this.#bytesMax - this.#length);
    for (let at = 0; at < kept; ) {
      const room = this.#room(kept - at);
      const piece = data.subarray(at, Math.min(kept, at + room.length));
      room.set(piece);
      this.#usedOfLast += piece.length;
      this.#length += piece.length;
      at += piece.length;
    }
    return kept === data.length;
  }

  /** As `add` with that many zeros. */
  addZeros(count: number): boolean {
    const zeros = new Uint8Array(Math.min(count, blockBytesMax));
    let isWhole = true;
    for (let left = count; left > 0 && isWhole; left -= zeros.length) {
      isWhole = this.add(left < zeros.length ? zeros.subarray(0, left) : zeros);
    }
    return isWhole;
  }

  /** All of them in one piece. */
  bytes(): Buffer {
    const last = this.#blocks.length - 1;
    return Buffer.concat(
      this.#blocks.map((block, index) =>
        index === last ? block.subarray(0, this.#usedOfLast) : block,
      ),
    );
  }

  /** Free space behind the last byte, of a new block when the last one is full. */
  #room(wanted: number): Uint8Array {
    const last = this.#blocks.at(-1);
    if (last !== undefined && this.#usedOfLast < last.length)
      return last.subarray(this.#usedOfLast);
    const grown = Math.max(blockBytesMin, Math.min(blockBytesMax, this.#length));
    // A lone large piece gets a block that fits it.
    const block = new Uint8Array(Math.min(this.#bytesMax - this.#length, Math.max(grown, wanted)));
    this.#blocks.push(block);
    this.#usedOfLast = 0;
    return block;
  }
}
