import { Transform, type TransformCallback } from "node:stream";

/** Texts in which values that must not come back are starred out, length for length. */
export class EchoGuard {
  readonly #needles: readonly Buffer[];
  readonly #onEcho: () => void;

  constructor(values: readonly string[], onEcho: () => void) {
    // The longest first, so that a value that holds another is hidden as a whole.
    this.#needles = values
      .map((value) => Buffer.from(value, "latin1"))
      .sort((a, b) => b.length - a.length);
    this.#onEcho = onEcho;
  }

  /** One header line's text. */
  text(value: string): string {
    const bytes = Buffer.from(value, "latin1");
    return this.#hide(bytes) ? bytes.toString("latin1") : value;
  }

  /**
   * A body on its way. Of what arrived, only an end that could be the beginning of a value waits for
   * what follows; everything before it passes at once.
   */
  stream(): Transform {
    let held: Buffer = Buffer.alloc(0);
    const transform = (chunk: Buffer, _: BufferEncoding, done: TransformCallback) => {
      const bytes = held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk]);
      this.#hide(bytes);
      const passed = bytes.length - this.#possibleStart(bytes);
      held = bytes.subarray(passed);
      done(null, passed === 0 ? undefined : bytes.subarray(0, passed));
    };
    const flush = (done: TransformCallback) => done(null, held.length === 0 ? undefined : held);
    return new Transform({ transform, flush });
  }

  #hide(bytes: Buffer): boolean {
    let found = false;
    for (const needle of this.#needles) {
      // Beyond what was starred: a value of stars alone would be found in its own place for ever.
      for (
        let at = bytes.indexOf(needle);
        at >= 0;
        at = bytes.indexOf(needle, at + needle.length)
      ) {
        found = true;
        bytes.fill("*", at, at + needle.length);
      }
    }
    if (found) this.#onEcho();
    return found;
  }

  /** Length of the longest end of `bytes` that begins a value. */
  #possibleStart(bytes: Buffer): number {
    let longest = 0;
    for (const needle of this.#needles) {
      const most = Math.min(needle.length - 1, bytes.length);
      for (let length = most; length > longest; length--) {
        if (bytes.subarray(bytes.length - length).equals(needle.subarray(0, length)))
          longest = length;
      }
    }
    return longest;
  }
}
