import type { Duplex } from "node:stream";
import { asMicroagentError, MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { channelClosed, protocolViolation } from "./failure.ts";
import { encodeHeader, type FrameHeader, frameFlag, frameType, goAwayCode } from "./frame.ts";
import { FrameDecoder, type FrameSink } from "./frame-decoder.ts";
import { Pings } from "./pings.ts";
import { ReceiveBudget } from "./receive-budget.ts";
import { Sender } from "./sender.ts";
import { ChannelStream, type StreamOwner } from "./stream.ts";
import { Turns } from "./turns.ts";

export interface SessionOptions {
  /** Takes streams the peer opens; without it every one of them is reset. */
  readonly onStream?: ((stream: ChannelStream) => void) | undefined;
  /** Somebody else reads the link until `listen` is called. */
  readonly listensLater?: boolean | undefined;
}

/**
 * One yamux session over a byte stream. It owns the link from now on and destroys it when it ends.
 * The peer is hostile: whatever breaks the protocol ends the session with `protocol_violation`.
 */
export class Session implements StreamOwner, FrameSink {
  /** Resolves once, never rejects: why the session ended. */
  readonly closed: Promise<MicroagentError>;
  readonly sender: Sender;
  readonly #link: Duplex;
  readonly #oddIds: boolean;
  readonly #onStream: ((stream: ChannelStream) => void) | undefined;
  readonly #streams = new Map<number, ChannelStream>();
  readonly #receiving = new ReceiveBudget();
  readonly #decoder: FrameDecoder = new FrameDecoder(this);
  /** Stream of the data frame being read; null: its body is thrown away. */
  #bodyStream: ChannelStream | null = null;
  #bodyEndsStream = false;
  #nextId: number;
  #inboundCount = 0;
  /** Opened by us and not yet acknowledged: the peer's accept queue is finite. */
  readonly #unacknowledged = new Set<number>();
  readonly #turns: Turns = new Turns(() => (this.#failure === null ? this.#roomToOpen : Infinity));
  readonly #pings = new Pings();
  #remoteGoAway = false;
  #failure: MicroagentError | null = null;
  #resolveClosed: (reason: MicroagentError) => void = () => {};

  constructor(link: Duplex, role: "client" | "server", options: SessionOptions = {}) {
    this.#link = link;
    this.#oddIds = role === "client";
    this.#nextId = this.#oddIds ? 1 : 2;
    this.#onStream = options.onStream;
    this.sender = new Sender(link);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    link.on("end", this.#onEnd);
    link.on("close", this.#onEnd);
    link.on("error", this.#onError);
    if (options.listensLater !== true) this.listen();
  }

  /** Begins to read the link. */
  listen(): void {
    this.#link.on("data", this.#onData);
    this.#link.on("drain", this.#onDrain);
    if (this.#link.destroyed || this.#link.readableEnded) this.#onEnd();
    else this.#link.resume();
  }

  /** Why the session ended, null while it lives. */
  get failure(): MicroagentError | null {
    return this.#failure;
  }

  /** Streams that are not over yet. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /**
   * Opens a stream, sending `first` with it in the same write when the window allows. Waits while
   * too many streams are open. Fails with the reason the session ended, or `channel_closed`.
   */
  async open(op: Op, first: Uint8Array = new Uint8Array(0)): Promise<ChannelStream> {
    op.check();
    while (this.#failure === null && this.#roomToOpen <= 0) await this.#turns.wait(op);
    if (this.#failure !== null) throw this.#failure;
    if (this.#remoteGoAway) throw channelClosed("The guest agent takes no new requests");
    const stream = this.#addStream(this.#nextId);
    this.#nextId += 2;
    this.#unacknowledged.add(stream.id);
    let written: Promise<void> = Promise.resolve();
    this.sender.gather(() => {
      stream.announce(frameFlag.syn);
      if (first.length > 0) written = stream.write(op, first);
    });
    try {
      await written;
    } catch (error) {
      stream.reset();
      throw error;
    }
    return stream;
  }

  /** One yamux ping and its answer: the peer's session layer is alive. */
  async ping(op: Op): Promise<void> {
    op.check();
    if (this.#failure !== null) throw this.#failure;
    const { id, answered } = this.#pings.add();
    this.#control(frameType.ping, frameFlag.syn, 0, id);
    await op.race(answered);
    if (this.#failure !== null) throw this.#failure;
  }

  /** Ends the session and the link; pending calls fail with `reason`. May be called again. */
  close(reason: MicroagentError = new MicroagentError("closed", "The channel was closed")): void {
    this.#end(reason, goAwayCode.normal);
  }

  /** Ends the session because the peer broke a rule above yamux; returns the error to throw. */
  violate(detail: string): MicroagentError {
    const error = protocolViolation(detail);
    this.#end(error, goAwayCode.protocolError);
    return error;
  }

  forget(stream: ChannelStream): void {
    if (!this.#streams.delete(stream.id)) return;
    stream.share.end();
    this.#unacknowledged.delete(stream.id);
    if (!this.#isOurs(stream.id)) this.#inboundCount -= 1;
    this.#turns.call();
  }

  onHeader(header: FrameHeader): void {
    // A frame of the same chunk may have ended the session: what stands behind it must not begin anything.
    if (this.#failure !== null) return;
    switch (header.type) {
      case frameType.data:
      case frameType.windowUpdate:
        this.#onStreamFrame(header);
        break;
      case frameType.ping:
        this.#onPing(header);
        break;
      case frameType.goAway:
        this.#onGoAway(header.length);
        break;
      default:
        header.type satisfies never;
    }
  }

  onBody(piece: Buffer): void {
    this.#bodyStream?.deliver(piece);
    this.#receiving.relieve(this.#streams);
  }

  onBodyEnd(): void {
    const stream = this.#bodyStream;
    this.#bodyStream = null;
    if (this.#bodyEndsStream) stream?.remoteEnd();
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#failure !== null) return;
    this.sender.hold();
    try {
      this.#decoder.push(chunk);
    } catch (error) {
      this.sender.release();
      this.#end(asMicroagentError(error), goAwayCode.protocolError);
      return;
    }
    this.sender.release();
    if (this.sender.backlogged) this.#link.pause();
  };

  readonly #onDrain = (): void => {
    if (this.#failure !== null) return;
    if (this.#link.isPaused()) this.#link.resume();
    this.sender.pump();
  };

  readonly #onEnd = (): void => {
    const cut = this.#decoder.idle ? "" : " in the middle of a frame";
    this.#end(channelClosed(`The connection to the guest agent ended${cut}`), null);
  };

  readonly #onError = (cause: Error): void => {
    this.#end(
      channelClosed(`The connection to the guest agent broke: ${cause.message}`, cause),
      null,
    );
  };

  #onStreamFrame(header: FrameHeader): void {
    const { streamId, flags, length } = header;
    if ((flags & frameFlag.syn) !== 0) this.#onSyn(streamId);
    const stream = this.#streams.get(streamId);
    const hasBody = header.type === frameType.data && length > 0;
    if (hasBody) {
      this.#bodyStream = stream ?? null;
      this.#bodyEndsStream = (flags & frameFlag.fin) !== 0;
    }
    if (stream === undefined) {
      // Ours and closed, or theirs and refused: the peer may not know yet. Nothing is kept.
      if (this.#isOurs(streamId) && streamId >= this.#nextId) {
        throw protocolViolation(`The guest used stream ${streamId}, which was never opened`);
      }
      return;
    }
    if ((flags & frameFlag.ack) !== 0 && this.#unacknowledged.delete(streamId)) this.#turns.call();
    if (hasBody) stream.admit(length);
    else if (header.type === frameType.windowUpdate && length > 0) stream.credit(length);
    if ((flags & frameFlag.rst) !== 0) {
      this.#bodyStream = null;
      stream.remoteReset();
    } else if ((flags & frameFlag.fin) !== 0 && !hasBody) {
      stream.remoteEnd();
    }
  }

  #onSyn(streamId: number): void {
    if (this.#isOurs(streamId)) {
      throw protocolViolation(`The guest opened stream ${streamId}, an id that is ours to open`);
    }
    if (this.#streams.has(streamId)) {
      throw protocolViolation(`The guest opened stream ${streamId} twice`);
    }
    if (this.#onStream === undefined || this.#inboundCount >= limits.channel.inboundStreamsMax) {
      this.#control(frameType.windowUpdate, frameFlag.rst, streamId, 0);
      return;
    }
    const stream = this.#addStream(streamId);
    this.#inboundCount += 1;
    stream.announce(frameFlag.ack);
    this.#onStream(stream);
  }

  #addStream(id: number): ChannelStream {
    const stream = new ChannelStream(this, id, this.#receiving.share(this.#isOurs(id)));
    this.#streams.set(id, stream);
    return stream;
  }

  #onPing(header: FrameHeader): void {
    if (header.flags === frameFlag.syn) {
      this.#control(frameType.ping, frameFlag.ack, 0, header.length);
      return;
    }
    if (!this.#pings.answer(header.length)) {
      throw protocolViolation(`The guest answered ping ${header.length}, which was never sent`);
    }
  }

  #onGoAway(code: number): void {
    this.#remoteGoAway = true;
    if (code === goAwayCode.normal) return;
    this.#end(channelClosed(`The guest agent ended the session with code ${code}`), null);
  }

  /** Streams that may be opened now. */
  get #roomToOpen(): number {
    const { unacknowledgedStreamsMax, outboundStreamsMax } = limits.channel;
    return Math.min(
      unacknowledgedStreamsMax - this.#unacknowledged.size,
      outboundStreamsMax - (this.#streams.size - this.#inboundCount),
    );
  }

  #isOurs(streamId: number): boolean {
    return (streamId % 2 === 1) === this.#oddIds;
  }

  #control(type: FrameHeader["type"], flags: number, streamId: number, length: number): void {
    this.sender.control(encodeHeader({ type, flags, streamId, length }));
  }

  #end(reason: MicroagentError, farewell: number | null): void {
    if (this.#failure !== null) return;
    this.#failure = reason;
    if (farewell !== null && !this.#link.destroyed) {
      this.sender.release();
      this.#control(frameType.goAway, 0, 0, farewell);
    }
    this.sender.end();
    // Errors of a link that is being destroyed have nobody left to tell, but must not be uncaught.
    this.#link.removeListener("data", this.#onData);
    this.#link.destroy();
    for (const stream of [...this.#streams.values()]) stream.fail(reason);
    this.#streams.clear();
    this.#bodyStream = null;
    this.#turns.call();
    this.#pings.end();
    this.#resolveClosed(reason);
  }
}
