import type { FileHandle } from "node:fs/promises";
import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { OutputFile } from "../disk/output-file.ts";
import { blockBytes } from "../tree/stored-blocks.ts";

const readBytes = 1 << 20;

/** Copies runs of blocks from one image to another; runs that continue each other are joined. */
export class BlockCopier {
  readonly #source: FileHandle;
  readonly #output: OutputFile;
  readonly #buffer = Buffer.allocUnsafeSlow(readBytes);
  #from = 0;
  #to = 0;
  #count = 0;

  constructor(source: FileHandle, output: OutputFile) {
    this.#source = source;
    this.#output = output;
  }

  async add(op: Op, from: number, to: number, count: number): Promise<void> {
    if (from === this.#from + this.#count && to === this.#to + this.#count) {
      this.#count += count;
      return;
    }
    await this.flush(op);
    this.#from = from;
    this.#to = to;
    this.#count = count;
  }

  async flush(op: Op): Promise<void> {
    let done = 0;
    const bytes = this.#count * blockBytes;
    while (done < bytes) {
      const want = Math.min(readBytes, bytes - done);
      const position = this.#from * blockBytes + done;
      const { bytesRead } = await op.race(this.#source.read(this.#buffer, 0, want, position));
      if (bytesRead === 0) throw new MicroagentError("internal", "The unpacked data is too short");
      // A multiple of blocks, but for a read that was cut short.
      this.#putUnlessZero(this.#to * blockBytes + done, bytesRead);
      done += bytesRead;
      await this.#output.settle(op);
    }
    this.#count = 0;
  }

  /** Zeros are left out block by block: the output has holes there, as the source may have. */
  #putUnlessZero(position: number, length: number): void {
    let start = 0;
    while (start < length) {
      let end = start;
      while (end < length && !this.#isZero(end, length)) end += blockBytes;
      end = Math.min(end, length);
      if (end > start) this.#output.put(position + start, this.#buffer, start, end);
      start = end + blockBytes;
    }
  }

  #isZero(at: number, length: number): boolean {
    const end = Math.min(at + blockBytes, length);
    // Data nearly always shows in its first bytes, so this is cheap.
    for (let i = at; i < end; i++) if (this.#buffer[i] !== 0) return false;
    return true;
  }
}
