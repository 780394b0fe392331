/** Bytes that are remembered of a stream. */
const tailBytes = 64 * 1024;

/** The end of what a command printed, for what was longer than its record. */
export class PrintedTail {
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;

  add(data: Uint8Array): void {
    this.#chunks.push(data.slice(-tailBytes));
    this.#bytes += Math.min(data.length, tailBytes);
    while (this.#bytes - (this.#chunks[0]?.length ?? 0) >= tailBytes) {
      this.#bytes -= this.#chunks.shift()?.length ?? 0;
    }
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(-tailBytes).toString("utf8");
  }
}
