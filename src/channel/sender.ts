import type { Duplex } from "node:stream";
import type { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { encodeHeader, frameFlag, frameType } from "./frame.ts";

/** Frames that may wait for the next write; few, because the guest keeps their streams meanwhile. */
const laterFramesMax = 16;

/** One write or half-close of a stream, waiting for credit and for the link. */
export interface SendJob {
  readonly parts: Uint8Array[];
  bytesLeft: number;
  /** Ends our half of the stream: at once, or along with whatever is sent next. */
  readonly fin: "now" | "later" | null;
  /** Called once: without an error when the last byte was handed to the link. */
  readonly settle: (error: MicroagentError | null) => void;
  started: boolean;
}

/** The sending half of one stream. */
export class Outbox {
  readonly streamId: number;
  creditBytes: number;
  readonly jobs: SendJob[] = [];
  queued = false;

  constructor(streamId: number, creditBytes: number) {
    this.streamId = streamId;
    this.creditBytes = creditBytes;
  }

  get sendable(): boolean {
    const job = this.jobs[0];
    return job !== undefined && (this.creditBytes > 0 || job.bytesLeft === 0);
  }

  fail(error: MicroagentError): void {
    for (const job of this.jobs.splice(0)) job.settle(error);
  }
}

/**
 * Puts frames on the link: control frames at once, data frames round robin over the streams that
 * have credit, each burst in one gathered write, and never more than `linkBufferBytes` ahead of the
 * link. Bytes are not copied, so whoever hands them over must not change them afterwards.
 */
export class Sender {
  readonly #link: Duplex;
  readonly #ready: Outbox[] = [];
  #held: Buffer[] | null = null;
  /** Frames nobody waits for: every write wakes the guest, so they wait for company. */
  #later: Buffer[] = [];
  #ended = false;

  constructor(link: Duplex) {
    this.#link = link;
  }

  enqueue(outbox: Outbox, job: SendJob): void {
    outbox.jobs.push(job);
    this.schedule(outbox);
  }

  /** Sends what the stream's credit now allows. */
  schedule(outbox: Outbox): void {
    if (outbox.queued || !outbox.sendable) return;
    outbox.queued = true;
    this.#ready.push(outbox);
    this.pump();
  }

  /** A control frame; while held, several leave in one write. */
  control(frame: Buffer): void {
    if (this.#ended) return;
    if (this.#held === null) this.#link.write(this.#withLater([frame]));
    else this.#held.push(frame);
  }

  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    this.#flushHeld();
    this.#held = null;
  }

  /** Everything `work` sends leaves in one gathered write. */
  gather(work: () => void): void {
    this.#link.cork();
    try {
      if (this.#later.length > 0 && !this.#ended) this.#link.write(this.#withLater([]));
      work();
    } finally {
      this.#link.uncork();
    }
  }

  /** The peer lets its answers pile up: reading more of it would only grow the pile. */
  get backlogged(): boolean {
    return (
      this.#link.writableNeedDrain &&
      this.#link.writableLength > limits.channel.controlBacklogBytesMax
    );
  }

  pump(): void {
    if (this.#ready.length === 0 || this.#full || this.#ended) return;
    this.gather(() => {
      while (!this.#full && !this.#ended) {
        const outbox = this.#ready.shift();
        if (outbox === undefined) return;
        outbox.queued = false;
        this.#sendOne(outbox);
        if (outbox.sendable) {
          outbox.queued = true;
          this.#ready.push(outbox);
        }
      }
    });
  }

  end(): void {
    this.#ended = true;
    this.#ready.length = 0;
    this.#held = null;
  }

  get #full(): boolean {
    return (
      this.#link.writableNeedDrain && this.#link.writableLength >= limits.channel.linkBufferBytes
    );
  }

  #flushHeld(): void {
    const held = this.#held;
    if (held === null || held.length === 0 || this.#ended) return;
    this.#held = [];
    this.#link.write(this.#withLater(held));
  }

  #sendOne(outbox: Outbox): void {
    const job = outbox.jobs[0];
    if (job === undefined || !outbox.sendable) return;
    // A stream's opening frame may be among the held ones: data must not overtake it.
    this.#flushHeld();
    job.started = true;
    if (job.bytesLeft > 0) this.#sendData(outbox, job);
    if (job.bytesLeft > 0) return;
    if (job.fin !== null) this.#sendFin(outbox.streamId, job.fin);
    outbox.jobs.shift();
    job.settle(null);
  }

  #sendFin(streamId: number, when: "now" | "later"): void {
    const fin = { type: frameType.windowUpdate, flags: frameFlag.fin, streamId, length: 0 };
    this.#later.push(encodeHeader(fin));
    if (when === "now" || this.#later.length >= laterFramesMax) {
      this.#link.write(this.#withLater([]));
    }
  }

  #withLater(frames: readonly Buffer[]): Buffer {
    const [only] = frames;
    if (this.#later.length === 0 && frames.length === 1 && only !== undefined) return only;
    const all = Buffer.concat([...this.#later, ...frames]);
    this.#later = [];
    return all;
  }

  #sendData(outbox: Outbox, job: SendJob): void {
    const length = Math.min(outbox.creditBytes, job.bytesLeft, limits.channel.sendFrameBytes);
    outbox.creditBytes -= length;
    job.bytesLeft -= length;
    const { streamId } = outbox;
    this.#link.write(encodeHeader({ type: frameType.data, flags: 0, streamId, length }));
    let left = length;
    while (left > 0) {
      const part = job.parts[0];
      if (part === undefined) return;
      if (part.length <= left) {
        job.parts.shift();
        if (part.length > 0) this.#link.write(part);
        left -= part.length;
      } else {
        this.#link.write(part.subarray(0, left));
        job.parts[0] = part.subarray(left);
        left = 0;
      }
    }
  }
}
