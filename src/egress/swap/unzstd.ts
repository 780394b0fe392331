import { Duplex } from "node:stream";
import { Decompress } from "fzstd";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

/**
 * Streaming zstd in bounded memory: the decoder is given one block at a time, which unfolds to 128 KiB at most, and
 * a frame's window is bounded as RFC 9659 does it. Node has a decoder of its own from version 22.15 on.
 */
export function unzstd(): Duplex {
  return Duplex.from(async function* (source: AsyncIterable<Buffer>) {
    const input = new Input(source);
    const work = new Work();
    for (let magic = await input.take(4, true); magic !== null; magic = await input.take(4, true)) {
      const number = magic.readUInt32LE(0);
      if (number === 0xfd2fb528) yield* frame(input, magic, work);
      else if (number >>> 4 === 0x184d2a5) await input.skip((await input.need(4)).readUInt32LE(0));
      else throw damaged();
    }
  });
}

/** One frame after its magic number (RFC 8878, 3.1.1). */
async function* frame(input: Input, magic: Buffer, work: Work): AsyncGenerator<Buffer> {
  const descriptor = await input.need(1);
  const flags = descriptor[0] ?? 0;
  const isSingle = (flags & 32) !== 0;
  const idBytes = [0, 1, 2, 4][flags & 3] ?? 0;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0;
  const rest = await input.need((isSingle ? 0 : 1) + idBytes + sizeBytes);
  const window = isSingle ? sizeIn(rest.subarray(idBytes)) : windowOf(rest[0] ?? 0);
  if (window > limits.swap.zstdWindowBytesMax) throw damaged();
  const parts: Buffer[] = [];
  const decoder = new Decompress((part) => {
    if (part.length > 0) parts.push(Buffer.from(part));
  });
  work.add(window);
  decoder.push(Buffer.concat([magic, descriptor, rest]));
  for (let isLast = false; !isLast; ) {
    const head = await input.need(3);
    const bits = head.readUIntLE(0, 3);
    isLast = (bits & 1) !== 0;
    const type = (bits >> 1) & 3;
    const bytes = bits >> 3;
    if (type === 3 || bytes > 128 * 1024) throw damaged();
    const content = await input.need(type === 1 ? 1 : bytes);
    const checksum = await input.need(isLast && (flags & 4) !== 0 ? 4 : 0);
    work.add(window);
    decoder.push(Buffer.concat([head, content, checksum]), isLast);
    for (const part of parts.splice(0)) {
      work.unfolded(part.length);
      yield part;
    }
  }
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function sizeIn(bytes: Buffer): number {
  switch (bytes.length) {
    case 1:
      return bytes.readUInt8(0);
    case 2:
      return bytes.readUInt16LE(0) + 256;
    case 4:
      return bytes.readUInt32LE(0);
    default:
      return Number(bytes.readBigUInt64LE(0));
  }
}

/** The decoder moves its whole window for each block, so tiny blocks below a large window would cost hours. */
class Work {
  #left = limits.swap.zstdWorkBytes;

  add(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) throw damaged();
  }

  unfolded(bytes: number): void {
    this.#left += bytes * 256;
  }
}

/** Bytes in the amounts in which they are needed. */
class Input {
  readonly #pieces: AsyncIterator<Buffer>;
  #piece: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#pieces = source[Symbol.asyncIterator]();
  }

  async need(bytes: number): Promise<Buffer> {
    const taken = await this.take(bytes, false);
    if (taken === null) throw damaged();
    return taken;
  }

  /** Null at the end, when there may be one. */
  async take(bytes: number, mayEnd: boolean): Promise<Buffer | null> {
    if (bytes <= this.#piece.length) return this.#cut(bytes);
    const parts = [this.#cut(this.#piece.length)];
    for (let missing = bytes - (parts[0]?.length ?? 0); missing > 0; ) {
      if (!(await this.#next())) {
        if (mayEnd && missing === bytes) return null;
        throw damaged();
      }
      const part = this.#cut(Math.min(missing, this.#piece.length));
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0; ) {
      if (this.#piece.length === 0 && !(await this.#next())) throw damaged();
      left -= this.#cut(Math.min(left, this.#piece.length)).length;
    }
  }

  #cut(bytes: number): Buffer {
    const part = this.#piece.subarray(0, bytes);
    this.#piece = this.#piece.subarray(bytes);
    return part;
  }

  async #next(): Promise<boolean> {
    const next = await this.#pieces.next();
    if (next.done === true) return false;
    this.#piece = next.value;
    return true;
  }
}

function damaged(): MicroagentError {
  return new MicroagentError("protocol_violation", "The answer is not zstd that can be read");
}
