import { Transform, type TransformCallback } from "node:stream";
import { limits } from "../../base/limits.ts";
import { badAnswer } from "./codings.ts";
import type { Redaction } from "./echo/redaction.ts";
import type { EchoGuard } from "./redactor.ts";

/** What the first two bytes of a frame and those that belong to its length say (RFC 6455, 5.2). */
interface FrameHead {
  readonly isFinal: boolean;
  readonly kind: "text or binary" | "continuation" | "control";
  readonly length: number;
}

/**
 * What a server sends over WebSocket, past the guard. Each message is searched as one text, over all its frames: a head
 * between two halves of a credential does not belong to it. Heads and lengths stay as they are. Frames that no client
 * may accept fail, because a client that does could read in them what was not searched: masked, compressed or reserved ones.
 */
export function searchedFrames(guard: EchoGuard): Transform {
  const frames = new Frames(guard);
  return new Transform({
    transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback) {
      try {
        for (const part of frames.push(chunk)) this.push(part);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done: TransformCallback) {
      for (const part of frames.end()) this.push(part);
      done();
    },
  });
}

class Frames {
  readonly #guard: EchoGuard;
  /** The message under way. */
  #message: Redaction;
  /** A message has begun whose last frame has not come. */
  #isOpen = false;
  /** What has come of a frame's head. */
  #head: Buffer = nothing;
  #frame: FrameHead | null = null;
  #left = 0;
  /** The payload of a control frame, which may stand in the middle of a message. */
  #control: Buffer = nothing;

  constructor(guard: EchoGuard) {
    this.#guard = guard;
    this.#message = guard.redaction();
  }

  push(chunk: Buffer): readonly Buffer[] {
    const out: Buffer[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      const used = this.#frame === null ? this.#takeHead(rest, out) : this.#takePayload(rest, out);
      rest = rest.subarray(used);
      if (this.#frame !== null && this.#left === 0) this.#endFrame(this.#frame, out);
    }
    return out;
  }

  end(): readonly Buffer[] {
    return [...this.#message.end(), this.#head];
  }

  #takeHead(rest: Buffer, out: Buffer[]): number {
    const used = Math.min(headLength(this.#head, rest) - this.#head.length, rest.length);
    this.#head = Buffer.concat([this.#head, rest.subarray(0, used)]);
    if (this.#head.length < headLength(this.#head, nothing)) return used;
    const frame = readHead(this.#head);
    const isNext = frame.kind === "control" || this.#isOpen === (frame.kind === "continuation");
    if (!isNext) throw badAnswer("sent WebSocket frames out of order");
    out.push(...this.#message.pass(this.#head));
    if (this.#message.pieces > limits.swap.heldFramesMax) {
      throw badAnswer("cut a WebSocket message into too many frames");
    }
    this.#head = nothing;
    this.#frame = frame;
    this.#left = frame.length;
    return used;
  }

  #takePayload(rest: Buffer, out: Buffer[]): number {
    const part = rest.subarray(0, this.#left);
    this.#left -= part.length;
    if (this.#frame?.kind === "control") this.#control = Buffer.concat([this.#control, part]);
    else out.push(...this.#message.push(part));
    return part.length;
  }

  #endFrame(frame: FrameHead, out: Buffer[]): void {
    this.#frame = null;
    if (frame.kind === "control") {
      const text = this.#guard.redaction();
      const searched = [...text.push(this.#control), ...text.end()];
      out.push(...this.#message.pass(Buffer.concat(searched)));
      this.#control = nothing;
      return;
    }
    this.#isOpen = !frame.isFinal;
    if (this.#isOpen) return;
    // Nothing of the next message can complete what this one ends with.
    out.push(...this.#message.end());
    this.#message = this.#guard.redaction();
  }
}

const nothing = Buffer.alloc(0);

/** How long a head is, as far as its beginning tells. */
function headLength(begun: Buffer, rest: Buffer): number {
  const second = begun.length > 1 ? begun[1] : rest[1 - begun.length];
  if (second === undefined) return 2;
  const length = second & 0x7f;
  return length < 126 ? 2 : length === 126 ? 4 : 10;
}

function readHead(head: Buffer): FrameHead {
  const first = head[0] ?? 0;
  const second = head[1] ?? 0;
  const isFinal = (first & 0x80) !== 0;
  const kind = kinds[first & 0x0f];
  if (kind === undefined || (first & 0x70) !== 0 || (second & 0x80) !== 0) {
    throw badAnswer("sent a masked, compressed or unknown WebSocket frame");
  }
  const short = second & 0x7f;
  const length =
    short < 126 ? short : short === 126 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2));
  if (!Number.isSafeInteger(length)) throw badAnswer("sent a WebSocket frame without end");
  if (kind === "control" && (!isFinal || length > 125)) {
    throw badAnswer("sent a WebSocket control frame in parts");
  }
  return { isFinal, kind, length };
}

/** By their opcodes. */
const kinds: Readonly<Record<number, FrameHead["kind"]>> = {
  0: "continuation",
  1: "text or binary",
  2: "text or binary",
  8: "control",
  9: "control",
  10: "control",
};
