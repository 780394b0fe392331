import type { Socket } from "node:net";
import type { ByteStream } from "../agent/guest-calls.ts";
import type { Op } from "../base/op.ts";
import { breakOff, hasUnsent } from "./leaving.ts";

/** Bytes on their way to the guest at which its server has to wait. */
const underwayBytesMax = 256 * 1024;

export type RelayEnd = "closed" | "reset" | "capped" | "idle" | "denied";

/** What a relay counts and waits for; a counter that says false ends the flow. */
export interface RelayMeter {
  readonly limited: boolean;
  count(bytes: number): boolean;
  pace(op: Op, bytes: number): Promise<void>;
}

/** Looks at bytes before they are handed on. */
export interface Inspection {
  /** Of the guest's bytes, what may leave now; null ends the flow. */
  take(piece: Uint8Array): Uint8Array | null;
  /** The guest has ended its half: false when it did so in the middle of something. */
  atEnd(): boolean;
  /** The server's bytes. */
  answer(piece: Uint8Array): void;
}

/**
 * Joins a guest's stream and a socket: half-close, reset and backpressure pass through in both directions.
 * Bytes are handed on as they came, without copies. The directions start one by one, so that a server can
 * speak before the guest's first bytes were judged.
 */
export class Relay {
  /** From the guest, and to it. */
  sent = 0;
  received = 0;
  /** By the op's monotonic clock. */
  lastActiveAt: number;
  /** Resolves once, when both directions are over or either broke. */
  readonly ended: Promise<RelayEnd>;
  readonly #op: Op;
  readonly #stream: ByteStream;
  readonly #socket: Socket;
  readonly #meter: RelayMeter;
  #underway = 0;
  #inspect: Inspection | null = null;
  /** Bytes to the guest that wait for the rate; resolves in any case. */
  #paced: Promise<void> = Promise.resolve();
  /** Bytes of the guest wait for the rate. */
  #pacing = false;
  #upOver = false;
  #downOver = false;
  #over = false;
  #wake: () => void = () => {};
  #resolve: (end: RelayEnd) => void = () => {};

  constructor(op: Op, stream: ByteStream, socket: Socket, meter: RelayMeter) {
    this.#op = op;
    this.#stream = stream;
    this.#socket = socket;
    this.#meter = meter;
    this.lastActiveAt = op.clock.monotonic();
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    socket.on("error", this.#onBroken);
    socket.on("close", this.#onClose);
    socket.on("drain", this.#onDrain);
    stream.onFailure(this.#onBroken);
  }

  /** One side has said all it had to say. */
  get halfClosed(): boolean {
    return this.#upOver || this.#downOver;
  }

  /** The socket does not have all yet that was taken from the guest. */
  get pending(): boolean {
    return this.#pacing || hasUnsent(this.#socket);
  }

  /** Lets go of both sides, untouched, for somebody else. Only before either direction has started. */
  release(): void {
    this.#over = true;
    this.#socket.removeListener("error", this.#onBroken);
    this.#socket.removeListener("close", this.#onClose);
    this.#socket.removeListener("drain", this.#onDrain);
  }

  /** Lets the server's bytes through. */
  startDown(): void {
    if (this.#over) return;
    this.#socket.on("data", this.#onData);
    this.#socket.on("end", () => this.#afterPaced(this.#onDownEnd));
    this.#socket.resume();
  }

  /** Lets the guest's bytes through; returns when it has ended its half, or the relay is over. */
  async up(inspect: Inspection | null = null): Promise<void> {
    this.#inspect = inspect;
    try {
      for (;;) {
        const read = await this.#stream.read(this.#op);
        if (this.#over) return;
        if (read === null) break;
        const piece = inspect === null ? read : inspect.take(read);
        if (piece === null) return this.end("denied");
        if (piece.length === 0) continue;
        this.sent += piece.length;
        if (!this.#admit(piece.length)) return;
        if (this.#meter.limited) await this.#paceUp(piece.length);
        if (this.#socket.write(piece)) continue;
        await this.#drained();
      }
      if (inspect?.atEnd() === false) return this.end("denied");
      this.#upOver = true;
      this.lastActiveAt = this.#op.clock.monotonic();
      this.#socket.end();
    } catch {
      this.end("reset");
    }
  }

  /** Breaks off whatever still runs; both sides see a reset unless they are over. */
  end(how: RelayEnd): void {
    if (this.#over) return;
    this.#over = true;
    const finished = this.#downOver && this.#socket.writableFinished;
    if (!finished) {
      this.#stream.reset();
      breakOff(this.#socket);
    }
    this.#wake();
    this.#resolve(finished ? "closed" : how);
  }

  readonly #onBroken = (): void => this.end("reset");

  readonly #onClose = (): void => this.#afterPaced(() => this.end("reset"));

  readonly #onDownEnd = (): void => {
    if (this.#over) return;
    this.#downOver = true;
    this.lastActiveAt = this.#op.clock.monotonic();
    this.#stream.end();
  };

  readonly #onDrain = (): void => this.#wake();

  readonly #onData = (chunk: Buffer): void => {
    if (this.#over) return;
    this.received += chunk.length;
    this.#inspect?.answer(chunk);
    if (!this.#admit(chunk.length)) return;
    if (this.#meter.limited) {
      this.#socket.pause();
      this.#paced = this.#paced
        .then(() => this.#meter.pace(this.#op, chunk.length))
        .then(() => this.#stream.write(this.#op, chunk))
        .then(() => void this.#socket.resume())
        .catch(() => this.end("reset"));
      return;
    }
    this.#underway += chunk.length;
    if (this.#underway > underwayBytesMax) this.#socket.pause();
    this.#stream.write(this.#op, chunk).then(
      () => {
        this.#underway -= chunk.length;
        if (this.#socket.isPaused() && this.#underway <= underwayBytesMax) this.#socket.resume();
      },
      () => this.end("reset"),
    );
  };

  /** A paused socket still tells its end: it must not overtake bytes that wait for their turn. */
  #afterPaced(then: () => void): void {
    if (this.#meter.limited) this.#paced.then(then);
    else then();
  }

  #admit(bytes: number): boolean {
    this.lastActiveAt = this.#op.clock.monotonic();
    if (this.#meter.count(bytes)) return true;
    this.end("capped");
    return false;
  }

  async #paceUp(bytes: number): Promise<void> {
    this.#pacing = true;
    await this.#meter.pace(this.#op, bytes);
    this.#pacing = false;
  }

  async #drained(): Promise<void> {
    if (this.#over || !this.#socket.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
