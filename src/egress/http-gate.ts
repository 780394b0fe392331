import { readClientHello } from "./client-hello.ts";
import { firstBytesMax } from "./first-bytes.ts";
import { type RequestHead, readRequestHead } from "./http-head.ts";

/** What the next bytes of a connection are. */
type Expecting =
  | { readonly kind: "head" }
  | { readonly kind: "body"; left: number }
  | { readonly kind: "chunk-size" }
  | { readonly kind: "chunk"; left: number }
  | { readonly kind: "trailers" }
  /** The first bytes after a request that may end HTTP; the server may not have agreed to that. */
  | { readonly kind: "tunnel"; readonly to: string }
  | { readonly kind: "upgraded" }
  /** Not HTTP any more, after CONNECT or an upgrade. */
  | { readonly kind: "raw" };

const sizeLineMax = 256;

/**
 * Follows the requests of a plain HTTP connection and has each one judged before a byte of it leaves: on a connection
 * that is kept alive, every request can be for another host. A piece is held back until what it holds is judged.
 */
export class HttpGate {
  readonly #judge: (head: RequestHead) => boolean;
  #expecting: Expecting = { kind: "head" };
  #held: Buffer = Buffer.alloc(0);

  constructor(judge: (head: RequestHead) => boolean) {
    this.#judge = judge;
  }

  /** The bytes that may leave now, perhaps none; null when the connection has to end. */
  take(piece: Uint8Array): Uint8Array | null {
    if (this.#expecting.kind === "raw") return piece;
    const bytes = this.#held.length === 0 ? asBuffer(piece) : Buffer.concat([this.#held, piece]);
    let at = 0;
    while (at < bytes.length) {
      const used = this.#step(bytes.subarray(at));
      if (used === null) return null;
      if (used === 0) break;
      at += used;
    }
    this.#held = Buffer.from(bytes.subarray(at));
    return this.#held.length > firstBytesMax ? null : bytes.subarray(0, at);
  }

  /** Bytes used up; 0: more are needed; null: refused. */
  #step(rest: Buffer): number | null {
    const now = this.#expecting;
    switch (now.kind) {
      case "raw":
        return rest.length;
      case "head":
        return this.#head(rest);
      case "body":
      case "chunk": {
        const used = Math.min(now.left, rest.length);
        now.left -= used;
        if (now.left === 0) {
          this.#expecting = { kind: now.kind === "body" ? "head" : "chunk-size" };
        }
        return used;
      }
      case "chunk-size":
        return this.#chunkSize(rest);
      case "trailers":
        return this.#trailers(rest);
      case "tunnel":
        return this.#tunnel(rest, now.to);
      case "upgraded":
        return this.#upgraded(rest);
      default:
        return now satisfies never;
    }
  }

  #head(rest: Buffer): number | null {
    const reading = readRequestHead(rest);
    if (reading.kind === "incomplete") return 0;
    if (reading.kind !== "request" || !this.#judge(reading.head)) return null;
    const { head } = reading;
    if (head.leavesHttp === "connect") {
      this.#expecting = { kind: "tunnel", to: head.target?.host ?? "" };
    } else if (head.leavesHttp === "upgrade") this.#expecting = { kind: "upgraded" };
    else if (head.body === "chunked") this.#expecting = { kind: "chunk-size" };
    else if (head.body !== "none" && head.body.bytes > 0) {
      this.#expecting = { kind: "body", left: head.body.bytes };
    }
    return head.length;
  }

  /** TLS to the very host that was judged: plain bytes could be the next request of a server that said no. */
  #tunnel(rest: Buffer, to: string): number | null {
    const hello = readClientHello(rest);
    if (hello.kind === "incomplete") return 0;
    if (hello.kind !== "hello") return null;
    if (hello.serverName !== null && hello.serverName !== to) return null;
    this.#expecting = { kind: "raw" };
    return rest.length;
  }

  /** A WebSocket client masks its frames, which sets a bit that no text has. */
  #upgraded(rest: Buffer): number | null {
    if (rest.length < 2) return 0;
    if (((rest[1] ?? 0) & 0x80) === 0) return null;
    this.#expecting = { kind: "raw" };
    return rest.length;
  }

  #chunkSize(rest: Buffer): number | null {
    const end = rest.indexOf(0x0a);
    if (end < 0) return rest.length > sizeLineMax ? null : 0;
    const line = rest.subarray(0, end + 1).toString("latin1");
    const size = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r\n]*)?\r\n$/.exec(line)?.[1];
    if (size === undefined) return null;
    const bytes = Number.parseInt(size, 16);
    // Its line break belongs to the chunk.
    this.#expecting = bytes === 0 ? { kind: "trailers" } : { kind: "chunk", left: bytes + 2 };
    return end + 1;
  }

  #trailers(rest: Buffer): number {
    const end = rest.indexOf(0x0a);
    if (end < 0) return 0;
    const empty =
      rest
        .subarray(0, end + 1)
        .toString("latin1")
        .trim() === "";
    if (empty) this.#expecting = { kind: "head" };
    return end + 1;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
