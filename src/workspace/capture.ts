/** Keeps the first bytes of a stream, up to a cap, and remembers that there were more. */
export class Capture {
  readonly #capBytes: number;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #truncated = false;
  #redact: (text: string) => string = (text) => text;

  constructor(capBytes: number) {
    this.#capBytes = capBytes;
  }

  /** What was captured elsewhere. */
  static of(text: string, truncated: boolean): Capture {
    const bytes = Buffer.from(text);
    const capture = new Capture(bytes.length);
    capture.add(bytes);
    capture.#truncated = truncated;
    return capture;
  }

  add(data: Uint8Array): void {
    const room = this.#capBytes - this.#bytes;
    if (data.length > room) this.#truncated = true;
    if (room <= 0) return;
    // A copy: the caller's buffer belongs to the channel.
    const kept = Uint8Array.prototype.slice.call(data, 0, room);
    this.#chunks.push(kept);
    this.#bytes += kept.length;
  }

  get truncated(): boolean {
    return this.#truncated;
  }

  /** From now on the text comes without what `redact` takes out of it. */
  redactWith(redact: (text: string) => string): void {
    this.#redact = redact;
  }

  /** The captured bytes as UTF-8, invalid sequences replaced. */
  text(): string {
    return this.#redact(Buffer.concat(this.#chunks).toString("utf8"));
  }
}
