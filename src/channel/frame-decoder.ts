import { decodeHeader, type FrameHeader, frameHeaderBytes, frameType } from "./frame.ts";

/** Receives what a `FrameDecoder` finds; may throw to stop it. */
export interface FrameSink {
  /** One complete header. For a data frame, `length` bytes of body follow in pieces. */
  onHeader(header: FrameHeader): void;
  /** A part of the current data frame's body: a view into the chunk, never empty. */
  onBody(piece: Buffer): void;
  /** All of a body that was not empty has been seen. */
  onBodyEnd(): void;
}

/**
 * Cuts a byte stream into yamux frames, whatever the boundaries of its chunks. It holds twelve bytes
 * at most: bodies pass through as views.
 */
export class FrameDecoder {
  readonly #sink: FrameSink;
  readonly #partial = Buffer.alloc(frameHeaderBytes);
  #partialBytes = 0;
  #bodyBytesLeft = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyBytesLeft > 0) at = this.#body(chunk, at);
      else at = this.#header(chunk, at);
    }
  }

  /** True between frames: an end of the stream here cuts nothing off. */
  get idle(): boolean {
    return this.#partialBytes === 0 && this.#bodyBytesLeft === 0;
  }

  #body(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#bodyBytesLeft);
    this.#bodyBytesLeft -= end - at;
    this.#sink.onBody(chunk.subarray(at, end));
    if (this.#bodyBytesLeft === 0) this.#sink.onBodyEnd();
    return end;
  }

  #header(chunk: Buffer, at: number): number {
    if (this.#partialBytes === 0 && chunk.length - at >= frameHeaderBytes) {
      this.#emit(decodeHeader(chunk, at));
      return at + frameHeaderBytes;
    }
    const end = Math.min(chunk.length, at + frameHeaderBytes - this.#partialBytes);
    chunk.copy(this.#partial, this.#partialBytes, at, end);
    this.#partialBytes += end - at;
    if (this.#partialBytes === frameHeaderBytes) {
      this.#partialBytes = 0;
      this.#emit(decodeHeader(this.#partial));
    }
    return end;
  }

  #emit(header: FrameHeader): void {
    if (header.type === frameType.data) this.#bodyBytesLeft = header.length;
    this.#sink.onHeader(header);
  }
}
