import { Transform, type TransformCallback } from "node:stream";
import type { Automaton } from "./echo/automaton.ts";
import { Redaction } from "./echo/redaction.ts";

/** Texts in which values that must not come back are starred out, length for length. */
export class EchoGuard {
  readonly #automaton: () => Automaton;
  readonly #onEcho: () => void;

  /** `automaton` is asked for each piece: a value that is put in while an answer is on its way is looked for in its rest. */
  constructor(automaton: () => Automaton, onEcho: () => void) {
    this.#automaton = automaton;
    this.#onEcho = onEcho;
  }

  /** One header line's text. */
  text(value: string): string {
    let isFound = false;
    const redaction = new Redaction(this.#automaton, () => {
      isFound = true;
    });
    const bytes = Buffer.from(value, "latin1");
    const parts = [...redaction.push(bytes), ...redaction.end()];
    if (!isFound) return value;
    this.#onEcho();
    return Buffer.concat(parts).toString("latin1");
  }

  /** One text that comes in pieces. */
  redaction(): Redaction {
    let isTold = false;
    return new Redaction(this.#automaton, () => {
      if (!isTold) this.#onEcho();
      isTold = true;
    });
  }

  /**
   * A body on its way. Of what arrived, only an end that could be the beginning of a value waits for
   * what follows; everything before it passes at once.
   */
  stream(): Transform {
    const redaction = this.redaction();
    return new Transform({
      transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback) {
        for (const part of redaction.push(chunk)) this.push(part);
        done();
      },
      flush(done: TransformCallback) {
        for (const part of redaction.end()) this.push(part);
        done();
      },
    });
  }
}
