import { MicroagentError } from "../base/errors.ts";

/** What is shown wherever a secret would be. */
const shown = "[secret]";

/**
 * A value that must not be seen. Printing, logging, inspecting or serializing it shows a placeholder; only `bytes`
 * and `text` give the value away, so that each place which does is found by searching for them.
 */
export class Secret {
  readonly byteLength: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.byteLength = bytes.length;
  }

  /** The value as it was found. */
  bytes(): Uint8Array {
    return this.#bytes;
  }

  /**
   * The value as text, less one line break at its end: editors and programs add one that is not meant. `secret_unusable`
   * when it is not UTF-8.
   */
  text(): string {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(this.#bytes).replace(/\r?\n$/, "");
    } catch {
      // The decoder's error is no cause: it is dropped with everything it may know.
      throw new MicroagentError("secret_unusable", "The secret is not text: wanted UTF-8");
    }
  }

  toString(): string {
    return shown;
  }

  toJSON(): string {
    return shown;
  }

  [Symbol.toPrimitive](): string {
    return shown;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return shown;
  }
}
