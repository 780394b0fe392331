import type { Duplex } from "node:stream";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";

interface Handlers {
  onFrame(frame: Frame): void;
  /** The other side is gone; null when it ended in good order, or what it sent could not be understood. */
  onEnd(failure: Error | null): void;
  /** Makes the error for bytes that are no frames. */
  refuse(what: string): Error;
}

/** Frames over a byte stream, as both sides have it. */
export class Connection {
  readonly #socket: Duplex;
  readonly #handlers: Handlers;
  #isOver = false;

  constructor(socket: Duplex, handlers: Handlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    const reader = new FrameReader(handlers.refuse);
    socket.on("data", (piece: Uint8Array) => {
      try {
        for (const frame of reader.push(piece)) handlers.onFrame(frame);
      } catch (error) {
        this.#end(error as Error);
      }
    });
    // How it failed is known better by whoever looks at the machine.
    socket.on("error", () => this.#end(null));
    socket.on("end", () => this.#end(null));
    socket.on("close", () => this.#end(null));
  }

  send(frame: Frame): void {
    if (!this.#isOver && this.#socket.writable) this.#socket.write(encodeFrame(frame));
  }

  /** Ends it; nothing is heard of it any more. */
  destroy(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #end(failure: Error | null): void {
    if (this.#isOver) return;
    this.destroy();
    this.#handlers.onEnd(failure);
  }
}
