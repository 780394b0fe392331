import { Duplex } from "node:stream";
import type { ByteStream } from "../agent/guest-calls.ts";
import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";

/** A guest's stream for code that speaks Node's streams. Both ends half-close; destroying one that is not at its end resets the other. */
export class StreamDuplex extends Duplex {
  readonly #op: Op;
  readonly #stream: ByteStream;
  readonly #onBytes: (direction: "sent" | "received", bytes: number) => boolean;
  #reading = false;

  /** `onBytes` hears what the guest sent and received; false ends the stream. */
  constructor(
    op: Op,
    stream: ByteStream,
    onBytes: (direction: "sent" | "received", bytes: number) => boolean,
  ) {
    super({ allowHalfOpen: true, highWaterMark: 256 * 1024 });
    this.#op = op;
    this.#stream = stream;
    this.#onBytes = onBytes;
    stream.onFailure((reason) => this.destroy(reason));
  }

  override _read(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#stream.read(this.#op).then(
      (piece) => {
        this.#reading = false;
        if (piece === null) this.push(null);
        else if (this.#admit("sent", piece.length)) this.push(piece);
      },
      (error: Error) => this.destroy(error),
    );
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (!this.#admit("received", chunk.length)) return;
    this.#stream.write(this.#op, chunk).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // What was written to its end still arrives, whatever the guest would have said after it.
    if (error !== null || !this.writableFinished) this.#stream.reset();
    else if (!this.readableEnded) this.#stream.finish();
    done(error);
  }

  #admit(direction: "sent" | "received", bytes: number): boolean {
    if (this.#onBytes(direction, bytes)) return true;
    this.destroy(new MicroagentError("closed", "The guest has used up its traffic"));
    return false;
  }
}
