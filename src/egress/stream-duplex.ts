import { Duplex } from "node:stream";
import type { ByteStream } from "../agent/guest-calls.ts";
import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";

/** Resolves when these bytes may pass. */
export type Pace = (op: Op, bytes: number) => Promise<void>;

/** A guest's stream for code that speaks Node's streams. Both ends half-close; destroying one that is not at its end resets the other. */
export class StreamDuplex extends Duplex {
  readonly #op: Op;
  readonly #stream: ByteStream;
  readonly #onBytes: (direction: "sent" | "received", bytes: number) => boolean;
  readonly #pace: Pace | null;
  #reading = false;

  /** `onBytes` hears what the guest sent and received; false ends the stream. `pace` is waited for, null: nothing waits. */
  constructor(
    op: Op,
    stream: ByteStream,
    onBytes: (direction: "sent" | "received", bytes: number) => boolean,
    pace: Pace | null = null,
  ) {
    super({ allowHalfOpen: true, highWaterMark: 256 * 1024 });
    this.#op = op;
    this.#stream = stream;
    this.#onBytes = onBytes;
    this.#pace = pace;
    stream.onFailure((reason) => this.destroy(reason));
  }

  override _read(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#next().then(
      (piece) => {
        this.#reading = false;
        if (piece === null) this.push(null);
        else if (!this.destroyed) this.push(piece);
      },
      (error: Error) => this.destroy(error),
    );
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (!this.#admit("received", chunk.length)) return;
    this.#send(chunk).then(() => done(), done);
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

  async #next(): Promise<Uint8Array | null> {
    const piece = await this.#stream.read(this.#op);
    if (piece !== null && this.#admit("sent", piece.length) && this.#pace !== null) {
      await this.#pace(this.#op, piece.length);
    }
    return piece;
  }

  async #send(chunk: Buffer): Promise<void> {
    if (this.#pace !== null) await this.#pace(this.#op, chunk.length);
    await this.#stream.write(this.#op, chunk);
  }

  #admit(direction: "sent" | "received", bytes: number): boolean {
    if (this.#onBytes(direction, bytes)) return true;
    this.destroy(new MicroagentError("closed", "The guest has used up its traffic"));
    return false;
  }
}
