import type { ByteStream } from "../agent/guest-calls.ts";
import type { Op } from "../base/op.ts";

const lengthBytes = 2;

/** Datagrams in a stream: each one its length, two bytes in network order, and its bytes. */
export class DatagramReader {
  readonly #stream: ByteStream;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** The next one, perhaps empty; null at the end, what is cut off there is dropped. */
  async next(op: Op): Promise<Uint8Array | null> {
    if (!(await this.#fill(op, lengthBytes))) return null;
    const length = ((this.#rest[0] ?? 0) << 8) | (this.#rest[1] ?? 0);
    if (!(await this.#fill(op, lengthBytes + length))) return null;
    const datagram = this.#rest.subarray(lengthBytes, lengthBytes + length);
    this.#rest = this.#rest.subarray(lengthBytes + length);
    return datagram;
  }

  async #fill(op: Op, bytes: number): Promise<boolean> {
    if (this.#rest.length >= bytes) return true;
    const parts = [this.#rest];
    let held = this.#rest.length;
    while (held < bytes) {
      const piece = await this.#stream.read(op);
      if (piece === null) return false;
      parts.push(piece);
      held += piece.length;
    }
    this.#rest = Buffer.concat(parts);
    return true;
  }
}

/** A datagram as it goes into a stream. */
export function framed(datagram: Uint8Array): readonly Uint8Array[] {
  return [Uint8Array.of(datagram.length >> 8, datagram.length & 0xff), datagram];
}
