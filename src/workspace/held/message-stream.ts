import type { Duplex } from "node:stream";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";

const newline = 0x0a;

/** JSON messages of a byte stream, one in each line, whatever the boundaries of its pieces. */
export class MessageDecoder {
  readonly #bytesMax: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(bytesMax: number = limits.held.messageBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** The messages that `chunk` completes. `protocol_violation` for a line that is too long or not JSON. */
  push(chunk: Uint8Array): unknown[] {
    const messages: unknown[] = [];
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      this.#keep(chunk.subarray(from, at));
      messages.push(this.#take());
      from = at + 1;
    }
    this.#keep(chunk.subarray(from));
    return messages;
  }

  /** True when the stream may end here. */
  get isIdle(): boolean {
    return this.#bytes === 0;
  }

  #keep(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#bytesMax) {
      throw violation(`sent a message of more than ${this.#bytesMax} bytes`);
    }
    // A copy: the caller's buffer may be used again.
    if (part.length > 0) this.#parts.push(Uint8Array.prototype.slice.call(part));
  }

  #take(): unknown {
    const text = Buffer.concat(this.#parts).toString("utf8");
    this.#parts = [];
    this.#bytes = 0;
    try {
      return JSON.parse(text);
    } catch {
      throw violation("sent a line that is not JSON");
    }
  }
}

/** Messages to and from another process of ours. */
export class MessageStream {
  readonly #stream: Duplex;

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  /** Resolves when there is room for more; does nothing once the other side has gone. */
  async send(op: Op, message: unknown): Promise<void> {
    const stream = this.#stream;
    if (stream.destroyed || !stream.writable) return;
    if (stream.write(`${JSON.stringify(message)}\n`)) return;
    await op.race(
      new Promise<void>((resolve) => {
        stream.once("drain", resolve);
        stream.once("close", resolve);
      }),
    );
  }

  /** Every message until the other side ends. */
  async *messages(): AsyncGenerator<unknown> {
    const decoder = new MessageDecoder();
    for await (const chunk of this.#stream.iterator({ destroyOnReturn: false })) {
      yield* decoder.push(chunk as Uint8Array);
    }
    if (!decoder.isIdle) throw violation("ended in the middle of a message");
  }

  close(): void {
    this.#stream.destroy();
  }
}

function violation(what: string): MicroagentError {
  return new MicroagentError("protocol_violation", `The workspace's process ${what}`);
}
