import { GatheredBytes } from "../base/gathered-bytes.ts";

/** Keeps the first bytes of a stream, up to a cap, and remembers that there were more. */
export class Capture {
  readonly #kept: GatheredBytes;
  #truncated = false;
  #redact: (text: string) => string = (text) => text;

  constructor(capBytes: number) {
    this.#kept = new GatheredBytes(capBytes);
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
    if (!this.#kept.add(data)) this.#truncated = true;
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
    return this.#redact(this.#kept.bytes().toString("utf8"));
  }
}
