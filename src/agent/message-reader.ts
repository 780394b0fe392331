import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { printableBytes } from "../channel/printable.ts";
import type { Session } from "../channel/session.ts";
import type { ChannelStream } from "../channel/stream.ts";
import { frameHeadBytes, framePayloadBytesMax } from "./frame.ts";

const newline = 0x0a;

export interface FrameHead {
  readonly kind: number;
  readonly length: number;
}

/**
 * Reads one stream as JSON lines and frames, whatever the boundaries of its pieces. Payloads of data
 * frames pass through as views; only JSON is put together, at most 64 KiB of it. Whatever breaks the
 * protocol ends the session.
 */
export class MessageReader {
  readonly #session: Session;
  readonly #stream: ChannelStream;
  /** Received and not yet used. */
  #rest: Uint8Array = new Uint8Array(0);
  /** Bytes of the current frame's payload still to come. */
  #payloadLeft = 0;

  constructor(session: Session, stream: ChannelStream) {
    this.#session = session;
    this.#stream = stream;
  }

  /** Ends the session for something that came over this stream; returns the error to throw. */
  violate(detail: string): MicroagentError {
    return this.#session.violate(`${detail} (stream ${this.#stream.id})`);
  }

  /** One JSON object and its newline. */
  async line(op: Op): Promise<unknown> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (;;) {
      const at = this.#rest.indexOf(newline);
      const end = at < 0 ? this.#rest.length : at;
      bytes += end;
      if (bytes >= limits.channel.headerBytesMax) {
        throw this.violate(
          `The guest sent a line of more than ${limits.channel.headerBytesMax} bytes`,
        );
      }
      parts.push(this.#rest.subarray(0, end));
      if (at >= 0) {
        this.#rest = this.#rest.subarray(at + 1);
        return this.#parse(Buffer.concat(parts));
      }
      this.#rest = new Uint8Array(0);
      if (!(await this.#more(op))) throw this.violate("The guest ended a stream before its reply");
    }
  }

  /** Ends the reading of messages: what came behind them is the stream's again. */
  release(): void {
    this.#stream.unread(this.#rest);
    this.#rest = new Uint8Array(0);
  }

  /** The head of the next frame; null when the peer ended the stream in good order. */
  async head(op: Op): Promise<FrameHead | null> {
    if (this.#payloadLeft > 0) {
      throw new MicroagentError("internal", "A frame was not read to its end");
    }
    while (this.#rest.length < frameHeadBytes) {
      const before = this.#rest;
      this.#rest = new Uint8Array(0);
      if (!(await this.#more(op))) {
        if (before.length === 0) return null;
        throw this.violate("The guest ended a stream in the middle of a frame");
      }
      // At most four bytes are carried over.
      if (before.length > 0) this.#rest = Buffer.concat([before, this.#rest]);
    }
    const rest = Buffer.from(this.#rest.buffer, this.#rest.byteOffset, frameHeadBytes);
    const kind = rest.readUInt8(0);
    const length = rest.readUInt32BE(1);
    this.#rest = this.#rest.subarray(frameHeadBytes);
    if (length > framePayloadBytesMax) {
      throw this.violate(
        `The guest sent a frame of ${length} bytes, wanted at most ${framePayloadBytesMax}`,
      );
    }
    this.#payloadLeft = length;
    return { kind, length };
  }

  /** The next part of the current frame's payload, null when there is none left. */
  async body(op: Op): Promise<Uint8Array | null> {
    if (this.#payloadLeft === 0) return null;
    if (this.#rest.length === 0 && !(await this.#more(op))) {
      throw this.violate("The guest ended a stream in the middle of a frame");
    }
    const part = this.#rest.subarray(0, this.#payloadLeft);
    this.#payloadLeft -= part.length;
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }

  /** The current frame's whole payload, for frames that are small by their nature. */
  async payload(op: Op, bytesMax: number = limits.channel.headerBytesMax): Promise<Buffer> {
    if (this.#payloadLeft > bytesMax) {
      throw this.violate(
        `The guest sent a message of ${this.#payloadLeft} bytes, wanted at most ${bytesMax}`,
      );
    }
    const parts: Uint8Array[] = [];
    for (;;) {
      const part = await this.body(op);
      if (part === null) return Buffer.concat(parts);
      parts.push(part);
    }
  }

  async json(op: Op): Promise<unknown> {
    return this.#parse(await this.payload(op));
  }

  #parse(bytes: Buffer): unknown {
    try {
      return JSON.parse(bytes.toString("utf8"));
    } catch {
      throw this.violate(`The guest sent "${printableBytes(bytes, 64)}", wanted a JSON object`);
    }
  }

  async #more(op: Op): Promise<boolean> {
    const piece = await this.#stream.read(op);
    if (piece === null) return false;
    this.#rest = piece;
    return true;
  }
}
