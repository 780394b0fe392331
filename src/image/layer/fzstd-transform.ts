import { Transform, type TransformCallback } from "node:stream";
import { Decompress } from "fzstd";
import { asMicroagentError } from "../../base/errors.ts";

/** Streaming zstd in JavaScript, for Node versions without a zstd of their own. */
export class FzstdTransform extends Transform {
  readonly #decompress: Decompress;

  constructor() {
    super({ highWaterMark: 1 << 20 });
    this.#decompress = new Decompress((chunk) => {
      // The decoder reuses nothing it handed out, so no copy is needed.
      if (chunk.length > 0) this.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    });
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    done(this.#feed(chunk, false));
  }

  override _flush(done: TransformCallback): void {
    done(this.#feed(new Uint8Array(0), true));
  }

  #feed(chunk: Uint8Array, final: boolean): Error | null {
    try {
      this.#decompress.push(chunk, final);
      return null;
    } catch (error) {
      return Object.assign(error instanceof Error ? error : asMicroagentError(error), {
        code: "CodecFault",
      });
    }
  }
}
