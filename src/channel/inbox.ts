import type { ReceiveShare } from "./receive-budget.ts";
import { ReceiveQueue } from "./receive-queue.ts";

/** The receiving half of one stream: what has come and was not read, and how much more may come. */
export class Inbox {
  readonly #share: ReceiveShare;
  readonly #queue = new ReceiveQueue();
  /** Read, and given back: last in, first out. */
  readonly #returned: Uint8Array[] = [];
  #windowBytes: number;
  /** Bytes read since the last credit. */
  #readBytes = 0;

  constructor(share: ReceiveShare) {
    this.#share = share;
    this.#windowBytes = share.windowBytes;
  }

  /** Bytes the peer may still send. */
  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** So many bytes will come; false when the peer has no window for them. */
  admit(bytes: number): boolean {
    if (bytes > this.#windowBytes) return false;
    this.#windowBytes -= bytes;
    return true;
  }

  push(piece: Buffer): void {
    this.#queue.push(piece);
    this.#share.received(piece.length);
  }

  /** Bytes that were read: the next read returns them first. */
  unread(bytes: Uint8Array): void {
    this.#returned.push(bytes);
  }

  /** Bytes that were read and given back. */
  shiftReturned(): Uint8Array | undefined {
    return this.#returned.pop();
  }

  /** The next bytes, of which the peer has to be told with `credit`. */
  shift(): Buffer | undefined {
    const piece = this.#queue.shift();
    if (piece !== undefined) this.#share.read(piece.length);
    return piece;
  }

  /** Throws away what nobody has read; returns its length. */
  drop(): number {
    const { bytes } = this.#queue;
    this.#returned.length = 0;
    this.#queue.clear();
    this.#share.read(bytes);
    return bytes;
  }

  /** So many bytes were read or thrown away. True when there is enough to tell the peer. */
  read(bytes: number): boolean {
    this.#readBytes += bytes;
    return this.#readBytes * 2 >= this.#share.windowBytes;
  }

  /** What the peer may send in addition. */
  credit(): number {
    const credit = this.#share.renew(this.#readBytes);
    this.#readBytes = 0;
    this.#windowBytes += credit;
    return credit;
  }
}
