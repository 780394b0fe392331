import type { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { channelClosed } from "./failure.ts";
import { initialWindowBytes } from "./frame.ts";

interface ReceivingStream {
  readonly share: ReceiveShare;
  reset(reason: MicroagentError): void;
}

const { streamWindowBytes, sharedWindowBytes, unreadBytesMax } = limits.channel;

/**
 * What the streams of one session may make this host hold. Each has the first window that yamux gives it. All windows
 * beyond that come from one capacity, and what lies unread on streams that the peer opened has a maximum.
 */
export class ReceiveBudget {
  #windowBytesLeft: number = sharedWindowBytes;
  #isShort = false;
  #unreadBytes = 0;

  /**
   * Resets the stream with the most unread bytes when there are too many. The link is not stopped instead: the reader
   * of one stream may be waiting for bytes of another.
   */
  relieve(streams: ReadonlyMap<number, ReceivingStream>): void {
    if (this.#unreadBytes <= unreadBytesMax) return;
    const fullest = [...streams.values()].reduce((most, each) =>
      each.share.unreadBytes > most.share.unreadBytes ? each : most,
    );
    fullest.reset(channelClosed("The guest's streams hold more unread bytes than they may"));
  }

  /** The part of a new stream. One that we open begins with the largest window; the peer's grow into it. */
  share(isOurs: boolean): ReceiveShare {
    return new ReceiveShare(this, isOurs);
  }

  /** What a stream gets beyond its first window, at most `bytes`. */
  takeWindow(bytes: number): number {
    if (bytes === 0) return 0;
    const taken = Math.min(bytes, this.#windowBytesLeft);
    this.#windowBytesLeft -= taken;
    this.#isShort = taken < bytes;
    return taken;
  }

  giveWindow(bytes: number): void {
    this.#windowBytesLeft += bytes;
  }

  /** Whether another stream got less than it could use. */
  get isShort(): boolean {
    return this.#isShort;
  }

  countUnread(bytes: number): void {
    this.#unreadBytes += bytes;
  }
}

/** One stream's part of the budget, until it is over. */
export class ReceiveShare {
  readonly #budget: ReceiveBudget;
  readonly #isInbound: boolean;
  #extraBytes = 0;
  #unreadBytes = 0;
  #isOver = false;

  constructor(budget: ReceiveBudget, isOurs: boolean) {
    this.#budget = budget;
    this.#isInbound = !isOurs;
    if (isOurs) this.#grow();
  }

  /** How much the peer may have on its way and unread here. */
  get windowBytes(): number {
    return initialWindowBytes + this.#extraBytes;
  }

  /** Counted as long as the stream is not over. */
  get unreadBytes(): number {
    return this.#unreadBytes;
  }

  /** The credit for `bytes` that were read: more where the window grows, less where others need some of it. */
  renew(bytes: number): number {
    const before = this.#extraBytes;
    if (this.#budget.isShort && before > 0) {
      const given = Math.min(bytes, Math.ceil(before / 2));
      this.#extraBytes -= given;
      this.#budget.giveWindow(given);
    } else {
      this.#grow();
    }
    return bytes + this.#extraBytes - before;
  }

  received(bytes: number): void {
    if (this.#isOver || !this.#isInbound) return;
    this.#unreadBytes += bytes;
    this.#budget.countUnread(bytes);
  }

  read(bytes: number): void {
    if (this.#isOver || !this.#isInbound) return;
    this.#unreadBytes -= bytes;
    this.#budget.countUnread(-bytes);
  }

  /** The stream is over: what it has left is its reader's. */
  end(): void {
    if (this.#isOver) return;
    this.read(this.#unreadBytes);
    this.#isOver = true;
    this.#budget.giveWindow(this.#extraBytes);
    this.#extraBytes = 0;
  }

  #grow(): void {
    if (this.#isOver) return;
    this.#extraBytes += this.#budget.takeWindow(streamWindowBytes - this.windowBytes);
  }
}
