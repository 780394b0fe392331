import { deserialize, serialize } from "node:v8";

/** What goes over the connection between the pool and the worker in a machine. */
export type Frame =
  /** One message of Vitest's worker protocol, in either direction. */
  | { readonly kind: "message"; readonly value: unknown }
  /** The first frame from the host: what is this clone's own. */
  | { readonly kind: "hello"; readonly value: Hello }
  /** The worker's answer: a digest of random bytes, which no other clone has. */
  | { readonly kind: "awake"; readonly value: string }
  /** A file that a later message names, in either direction. */
  | { readonly kind: "file"; readonly value: SentFile }
  /** The worker asks the host for something. */
  | { readonly kind: "call"; readonly value: Call }
  | { readonly kind: "answer"; readonly value: Answer }
  /** What the tests wrote to their standard streams. */
  | { readonly kind: "stdout" | "stderr"; readonly value: Uint8Array };

export interface Hello {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Directories that tests expect to be there. */
  readonly dirs: readonly string[];
}

export interface SentFile {
  readonly path: string;
  readonly data: Uint8Array;
}

export interface Call {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

/** Either has what the call gave, or why it failed. */
export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly failure?: string;
}

const kinds = ["message", "hello", "awake", "file", "call", "answer", "stdout", "stderr"] as const;
const headBytes = 5;

/** More than any module's source, report or coverage of one file takes. */
const frameBytesMax = 256 * 1024 * 1024;

/** A kind and a length, then a value in the serialization that Node's own workers use, or plain bytes. */
export function encodeFrame({ kind, value }: Frame): Buffer {
  const body = kind === "stdout" || kind === "stderr" ? value : serialize(value);
  const head = Buffer.alloc(headBytes);
  head.writeUInt8(kinds.indexOf(kind), 0);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** Takes pieces of a stream as they come and gives the frames that they complete. */
export class FrameReader {
  readonly #refuse: (what: string) => Error;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #wanted = headBytes;

  /** @param refuse makes the error for bytes that are no frames */
  constructor(refuse: (what: string) => Error) {
    this.#refuse = refuse;
  }

  push(piece: Uint8Array): Frame[] {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    const frames: Frame[] = [];
    while (this.#bytes >= this.#wanted) {
      const all = Buffer.concat(this.#pieces, this.#bytes);
      const end = headBytes + this.#bodyBytes(all);
      const complete = all.length >= end;
      if (complete) frames.push(this.#frameOf(all.subarray(0, end)));
      const rest = complete ? all.subarray(end) : all;
      this.#pieces = rest.length === 0 ? [] : [rest];
      this.#bytes = rest.length;
      this.#wanted = complete ? headBytes : end;
    }
    return frames;
  }

  #bodyBytes(all: Buffer): number {
    const bytes = all.readUInt32BE(1);
    if (bytes > frameBytesMax) {
      throw this.#refuse(`A frame of ${bytes} bytes was announced, at most ${frameBytesMax} fit`);
    }
    return bytes;
  }

  #frameOf(bytes: Buffer): Frame {
    const kind = kinds[bytes.readUInt8(0)];
    if (kind === undefined) throw this.#refuse(`Frame kind ${bytes.readUInt8(0)} is unknown`);
    const body = bytes.subarray(headBytes);
    if (kind === "stdout" || kind === "stderr") return { kind, value: body };
    try {
      return { kind, value: deserialize(body) } as Frame;
    } catch {
      throw this.#refuse(`A frame of kind "${kind}" cannot be read`);
    }
  }
}
