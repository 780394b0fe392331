import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";

const bufferBytes = 1 << 20;
const queuedBytesMax = 8 << 20;
const flushEveryBytes = 32 << 20;

export interface OutputFileOptions {
  /**
   * Begin to flush to the disk while the file is still being written, for a file that is flushed at its end: less
   * is left to wait for then. Whoever publishes the file still flushes it.
   */
  readonly flushAlong?: boolean;
}

/**
 * A file that is written at arbitrary positions: small neighbouring writes are joined into large
 * ones, which go out one after the other, so that a later write to a place always wins. `put` never
 * waits; call `settle` now and then to let the disk keep up. Fails with `no_space`.
 */
export class OutputFile {
  readonly path: string;
  readonly #handle: FileHandle;
  #buffer: Buffer = Buffer.allocUnsafeSlow(bufferBytes);
  readonly #spare: Buffer[] = [];
  #position = 0;
  #length = 0;
  #queuedBytes = 0;
  #tail: Promise<void> = Promise.resolve();
  readonly #flushAlong: boolean;
  #unflushedBytes = 0;
  #flushing: Promise<void> | null = null;
  #failure: unknown = null;

  private constructor(path: string, handle: FileHandle, options: OutputFileOptions) {
    this.path = path;
    this.#handle = handle;
    this.#flushAlong = options.flushAlong === true;
  }

  /** Creates or truncates the file, 0600. */
  static async create(path: string, options: OutputFileOptions = {}): Promise<OutputFile> {
    const handle = await open(path, "w+", 0o600).catch((error) => {
      throw fileError(error, `File "${path}" cannot be created`);
    });
    return new OutputFile(path, handle, options);
  }

  put(position: number, bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    if (this.#length > 0 && position !== this.#position + this.#length) this.#flush();
    if (this.#length === 0) this.#position = position;
    let at = start;
    while (at < end) {
      const take = Math.min(end - at, bufferBytes - this.#length);
      this.#buffer.set(
        at === 0 && take === bytes.length ? bytes : bytes.subarray(at, at + take),
        this.#length,
      );
      this.#length += take;
      at += take;
      if (this.#length === bufferBytes) {
        this.#flush();
        this.#position = position + (at - start);
      }
    }
  }

  /** Waits until little enough is queued; call it wherever much is put in a loop. */
  async settle(op: Op): Promise<void> {
    while (this.#queuedBytes > queuedBytesMax) await op.race(this.#tail);
    this.#throwFailure();
  }

  /** Waits until everything is written. */
  async drain(op: Op): Promise<void> {
    this.#flush();
    await op.race(this.#tail);
    if (this.#flushing !== null) await op.race(this.#flushing);
    this.#throwFailure();
  }

  /** Writes what is left and sets the file's length; unwritten parts are holes. */
  async finish(op: Op, sizeBytes: number): Promise<void> {
    await this.drain(op);
    await op.race(this.#handle.truncate(sizeBytes));
  }

  /** Closes the file once no write is under way any more; never throws. */
  async close(): Promise<void> {
    this.#length = 0;
    await this.#tail;
    await this.#flushing;
    await this.#handle.close().catch(() => {});
  }

  #flush(): void {
    if (this.#length === 0) return;
    const length = this.#length;
    const position = this.#position;
    this.#length = 0;
    let full: Buffer = this.#buffer;
    if (length < bufferBytes / 4) {
      // Scattered small writes must not hold a large buffer each.
      full = Buffer.from(full.subarray(0, length));
    } else {
      this.#buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
    }
    this.#queuedBytes += full.length;
    this.#tail = this.#tail.then(async () => {
      try {
        if (this.#failure === null) await this.#writeAll(full, length, position);
      } catch (error) {
        this.#failure = error;
      }
      this.#queuedBytes -= full.length;
      this.#flushBehind(length);
      if (full.length === bufferBytes && this.#spare.length < 4) this.#spare.push(full);
    });
  }

  /** An error of the disk is told once per opened file, so it is kept for whoever waits next. */
  #flushBehind(written: number): void {
    this.#unflushedBytes += written;
    if (!this.#flushAlong || this.#flushing !== null || this.#unflushedBytes < flushEveryBytes)
      return;
    this.#unflushedBytes = 0;
    this.#flushing = this.#handle.datasync().then(
      () => {
        this.#flushing = null;
      },
      (error) => {
        this.#failure ??= error;
        this.#flushing = null;
      },
    );
  }

  async #writeAll(bytes: Buffer, length: number, position: number): Promise<void> {
    let done = 0;
    while (done < length) {
      const { bytesWritten } = await this.#handle.write(
        bytes,
        done,
        length - done,
        position + done,
      );
      done += bytesWritten;
    }
  }

  #throwFailure(): void {
    if (this.#failure === null) return;
    throw fileError(this.#failure, `File "${this.path}" cannot be written`);
  }
}
