import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { channelClosed, protocolViolation } from "./failure.ts";
import { encodeHeader, frameFlag, frameType, initialWindowBytes } from "./frame.ts";
import { Inbox } from "./inbox.ts";
import type { ReceiveShare } from "./receive-budget.ts";
import { Outbox, type Sender, type SendJob } from "./sender.ts";

/** What a stream needs of its session. */
export interface StreamOwner {
  readonly sender: Sender;
  /** The stream is over in both directions. */
  forget(stream: ChannelStream): void;
}

/**
 * One flow-controlled two-way byte stream of a session. Reads and writes settle with the session's
 * reason when it ends; bytes that had arrived before can still be read.
 */
export class ChannelStream {
  readonly id: number;
  /** What it takes of the session's budget. */
  readonly share: ReceiveShare;
  readonly #owner: StreamOwner;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  /** No more writes are taken. */
  #localEnded = false;
  /** The peer was told so. */
  #finSent = false;
  #remoteEnded = false;
  #discarding = false;
  #failure: MicroagentError | null = null;
  #wake: (() => void) | null = null;
  #onFailure: ((reason: MicroagentError) => void) | null = null;

  constructor(owner: StreamOwner, id: number, share: ReceiveShare) {
    this.#owner = owner;
    this.id = id;
    this.share = share;
    this.#inbox = new Inbox(share);
    this.#outbox = new Outbox(id, initialWindowBytes);
  }

  /**
   * The next bytes in order, never empty; null once the peer has ended its half. One reader at a
   * time. Fails with the reason the stream or session ended (`channel_closed`, `protocol_violation`,
   * `closed`).
   */
  async read(op: Op): Promise<Uint8Array | null> {
    for (;;) {
      const piece = this.#take();
      if (piece !== undefined) return piece;
      await op.race(
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
      );
    }
  }

  /** Gives bytes back that were read: the next read returns them first. */
  unread(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#inbox.unread(bytes);
    this.#notify();
  }

  /** Calls back once the stream was reset or its session ended, at once if it was; one listener. */
  onFailure(callback: (reason: MicroagentError) => void): void {
    if (this.#failure === null) this.#onFailure = callback;
    else callback(this.#failure);
  }

  /**
   * Resolves when all bytes were handed to the link, which waits for the peer's window and for the
   * link. The bytes must not be changed afterwards. Cancelled half-way, it resets the stream.
   */
  async write(op: Op, bytes: Uint8Array | readonly Uint8Array[]): Promise<void> {
    const sent = this.#send(bytes, null);
    if (sent === null) return;
    try {
      await op.race(sent.done);
    } catch (error) {
      this.#withdraw(sent.job);
      throw error;
    }
  }

  /** Keeps to less than the peer's window until it gives credit: it asked for that. */
  sendAtMost(bytes: number): void {
    this.#outbox.creditBytes = Math.min(this.#outbox.creditBytes, bytes);
  }

  /** Ends our half after everything written; the peer can still send. */
  end(): void {
    this.#end("now");
  }

  /** Nothing more is wanted: ends our half after everything written, and throws away whatever still comes. */
  finish(): void {
    this.#finish("now");
  }

  /**
   * The same for a stream whose end nobody waits for: the peer learns of it along with whatever is sent
   * next, so that it costs no write of its own.
   */
  leave(): void {
    this.#finish("later");
  }

  /** True once the stream was reset by either side or its session ended. */
  get failed(): boolean {
    return this.#failure !== null;
  }

  /** True once both halves have ended, in whatever way. */
  get over(): boolean {
    return this.#failure !== null || (this.#finSent && this.#remoteEnded);
  }

  /** Ends both halves now; the peer is told, pending calls fail with `reason`. */
  reset(reason: MicroagentError = new MicroagentError("closed", "The stream was reset")): void {
    if (this.over) return;
    this.#control(frameFlag.rst, 0);
    this.#inbox.drop();
    this.fail(reason);
    this.#owner.forget(this);
  }

  // Below: the session's side.

  /** Announces the stream, or accepts the peer's, with the window that it begins with. */
  announce(flags: number): void {
    this.#control(flags, this.#inbox.windowBytes - initialWindowBytes);
  }

  /** A data frame begins: the peer must have the window for all of it. */
  admit(length: number): void {
    if (length === 0) return;
    if (this.#remoteEnded) {
      throw protocolViolation(`The guest sent ${length} bytes on stream ${this.id} after its end`);
    }
    if (this.#inbox.admit(length)) return;
    throw protocolViolation(
      `The guest sent ${length} bytes on stream ${this.id}, wanted at most ${this.#inbox.windowBytes}, its window`,
    );
  }

  deliver(piece: Buffer): void {
    if (this.#failure !== null) return;
    if (this.#discarding) {
      this.#consumed(piece.length);
      return;
    }
    this.#inbox.push(piece);
    this.#notify();
  }

  credit(bytes: number): void {
    this.#outbox.creditBytes += bytes;
    if (this.#outbox.creditBytes > 0xffff_ffff) {
      throw protocolViolation(`The guest raised the window of stream ${this.id} beyond 4 GiB`);
    }
    this.#owner.sender.schedule(this.#outbox);
  }

  remoteEnd(): void {
    if (this.#remoteEnded) {
      throw protocolViolation(`The guest ended stream ${this.id} twice`);
    }
    this.#remoteEnded = true;
    this.#notify();
    if (this.#finSent) this.#owner.forget(this);
  }

  remoteReset(): void {
    this.fail(channelClosed(`The guest reset stream ${this.id}`));
    this.#owner.forget(this);
  }

  /** Every pending and later call fails with `reason`; bytes already here can still be read. */
  fail(reason: MicroagentError): void {
    if (this.#failure !== null) return;
    this.#failure = reason;
    this.#outbox.fail(reason);
    this.#notify();
    const listener = this.#onFailure;
    this.#onFailure = null;
    listener?.(reason);
  }

  #finish(when: "now" | "later"): void {
    this.#discarding = true;
    // The peer gets its window back, otherwise it could never send its end.
    this.#consumed(this.#inbox.drop());
    // A write that the peer no longer takes would hold the stream open for ever.
    if (this.#outbox.jobs.some((job) => job.bytesLeft > 0)) this.reset();
    else this.#end(when);
  }

  #end(when: "now" | "later"): void {
    if (this.#localEnded || this.#failure !== null) return;
    this.#send([], when)?.done.catch(() => {});
  }

  #take(): Uint8Array | null | undefined {
    const returned = this.#inbox.shiftReturned();
    if (returned !== undefined) return returned;
    const piece = this.#inbox.shift();
    if (piece !== undefined) {
      this.#consumed(piece.length);
      return piece;
    }
    // The end counts before a later failure: the peer had said all it wanted to say.
    if (this.#remoteEnded) return null;
    if (this.#failure !== null) throw this.#failure;
    if (this.#discarding) throw new MicroagentError("closed", "The stream is finished");
    return undefined;
  }

  #consumed(bytes: number): void {
    if (!this.#inbox.read(bytes) || this.#remoteEnded || this.#failure !== null) return;
    const credit = this.#inbox.credit();
    if (credit > 0) this.#control(0, credit);
  }

  #send(
    bytes: Uint8Array | readonly Uint8Array[],
    fin: SendJob["fin"],
  ): { job: SendJob; done: Promise<void> } | null {
    if (this.#failure !== null) throw this.#failure;
    if (this.#localEnded) throw new MicroagentError("closed", "The stream's end was already sent");
    this.#localEnded = fin !== null;
    const parts = bytes instanceof Uint8Array ? [bytes] : [...bytes];
    let resolve = () => {};
    let reject = (_error: MicroagentError) => {};
    let settled = false;
    const job = {
      parts,
      bytesLeft: parts.reduce((sum, part) => sum + part.length, 0),
      fin,
      started: false,
      settle: (error: MicroagentError | null) => {
        settled = true;
        if (error === null) {
          if (fin !== null) this.#onFinSent();
          resolve();
        } else reject(error);
      },
    };
    if (job.bytesLeft === 0 && fin === null) return null;
    this.#owner.sender.enqueue(this.#outbox, job);
    // Usually everything went out at once: then there is nothing to wait for.
    if (settled) return null;
    const done = new Promise<void>((onDone, onError) => {
      resolve = onDone;
      reject = onError;
    });
    return { job, done };
  }

  #onFinSent(): void {
    this.#finSent = true;
    if (this.#remoteEnded) this.#owner.forget(this);
  }

  #withdraw(job: SendJob): void {
    const at = this.#outbox.jobs.indexOf(job);
    if (at < 0) return;
    if (job.started) this.reset();
    else this.#outbox.jobs.splice(at, 1);
  }

  #control(flags: number, length: number): void {
    const frame = { type: frameType.windowUpdate, flags, streamId: this.id, length };
    this.#owner.sender.control(encodeHeader(frame));
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
