import { Answers } from "./answers.ts";
import { type Authority, type Unreadable, unreadable } from "./authority.ts";
import { ChunkedBody } from "./chunked-body.ts";
import { type RequestHead, readRequestHead } from "./http-head.ts";
import { SizedBody } from "./sized-body.ts";

/** What follows a guest's bytes: the pieces of them that may leave, and null where the connection has to end. */
export interface Follower {
  take(piece: Uint8Array): Uint8Array | null;
  /** The server's bytes, before the guest gets them. */
  answer(piece: Uint8Array): void;
  /** Bytes that wait for the rest of what they belong to. */
  readonly holding: boolean;
}

/** Who decides on what an `HttpGate` reads. */
export interface HttpJudge {
  request(head: RequestHead): boolean;
  /** Told once, before the end. */
  refused(why: Unreadable): void;
  /** Judges what a proxy's tunnel carries. */
  tunnel(to: Authority): Follower;
}

/** What the next bytes of a connection are. */
type Expecting =
  | { readonly kind: "head" }
  | { readonly kind: "body"; readonly body: SizedBody | ChunkedBody }
  /** HTTP for as long as the server has not agreed to leave it. */
  | { readonly kind: "agreement" }
  /** Not HTTP any more: whatever the tunnel's follower lets through, or all of it. */
  | { readonly kind: "left"; readonly follower: Follower | null };

/**
 * Follows the requests of a plain HTTP connection and has each one judged before a byte of it leaves: on a connection
 * that is kept alive, every request can be for another host. A piece is held back until what it holds is judged. HTTP ends
 * with the server's 101, or its 2xx to CONNECT, and not with a guest's wish for one.
 */
export class HttpGate implements Follower {
  readonly #judge: HttpJudge;
  readonly #answers: Answers;
  #expecting: Expecting = { kind: "head" };
  /** The request that asked to leave HTTP, until its answer is known. */
  #asked: RequestHead | null = null;
  #held: Buffer = Buffer.alloc(0);

  /** `serverSpoke`: bytes of the server have passed already, so no answer of it can be told from another. */
  constructor(judge: HttpJudge, serverSpoke = false) {
    this.#judge = judge;
    this.#answers = new Answers((left, rest) => this.#onAnswer(left, rest));
    if (serverSpoke) this.#answers.take(Buffer.from("\n"));
  }

  get holding(): boolean {
    if (this.#expecting.kind === "left") return this.#expecting.follower?.holding ?? false;
    return this.#held.length > 0;
  }

  answer(piece: Uint8Array): void {
    if (this.#expecting.kind === "left") this.#expecting.follower?.answer(piece);
    else this.#answers.take(piece);
  }

  take(piece: Uint8Array): Uint8Array | null {
    if (this.#expecting.kind === "left") {
      const { follower } = this.#expecting;
      return follower === null ? piece : follower.take(piece);
    }
    const bytes = this.#held.length === 0 ? asBuffer(piece) : Buffer.concat([this.#held, piece]);
    const free: Uint8Array[] = [];
    let at = 0;
    while (at < bytes.length) {
      const step = this.#step(bytes.subarray(at));
      if (typeof step !== "object") {
        if (step === "wait") break;
        return null;
      }
      free.push(step.out);
      at += step.used;
    }
    this.#held = at === bytes.length ? nothing : Buffer.from(bytes.subarray(at));
    const [only = nothing] = free;
    return free.length < 2 ? only : Buffer.concat(free);
  }

  #step(rest: Buffer): { readonly used: number; readonly out: Uint8Array } | "wait" | "end" {
    const now = this.#expecting;
    switch (now.kind) {
      case "head":
        return this.#head(rest);
      case "body": {
        const used = now.body.take(rest);
        if (typeof used === "string") return this.#refuse(unreadable(used));
        if (now.body.over) this.#afterBody();
        return used === 0 ? "wait" : { used, out: rest.subarray(0, used) };
      }
      case "agreement":
        return this.#refuse(unreadable("bytes come before the server has agreed to leave HTTP"));
      case "left": {
        const out = now.follower === null ? rest : now.follower.take(rest);
        return out === null ? "end" : { used: rest.length, out };
      }
      default:
        return now satisfies never;
    }
  }

  #head(rest: Buffer) {
    const reading = readRequestHead(rest);
    if (reading.kind === "incomplete") return "wait" as const;
    if (reading.kind === "not-http")
      return this.#refuse(unreadable("no request follows the last one"));
    if (reading.kind === "malformed") return this.#refuse(reading);
    const { head } = reading;
    if (!this.#judge.request(head)) return "end" as const;
    this.#answers.expect(head);
    if (head.leavesHttp !== null) this.#asked = head;
    if (head.body === "chunked") this.#expecting = { kind: "body", body: new ChunkedBody() };
    else if (head.body !== "none" && head.body.bytes > 0) {
      this.#expecting = { kind: "body", body: new SizedBody(head.body.bytes) };
    } else this.#afterBody();
    return { used: head.length, out: head.rewritten ?? rest.subarray(0, head.length) };
  }

  #afterBody(): void {
    this.#expecting = { kind: this.#asked === null ? "head" : "agreement" };
  }

  #onAnswer(left: boolean, rest: Uint8Array): void {
    const asked = this.#asked;
    this.#asked = null;
    if (!left) {
      if (this.#expecting.kind === "agreement") this.#expecting = { kind: "head" };
      return;
    }
    const tunnels = asked?.leavesHttp === "connect" && asked.target !== null;
    const follower = tunnels ? this.#judge.tunnel(asked.target) : null;
    if (rest.length > 0) follower?.answer(rest);
    // A server that agrees before it has the whole body has read it all the same.
    this.#expecting = { kind: "left", follower };
  }

  #refuse(why: Unreadable): "end" {
    this.#judge.refused(why);
    return "end";
  }
}

const nothing = Buffer.alloc(0);

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
