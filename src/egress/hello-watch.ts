import type { Unreadable } from "./authority.ts";
import { endOfHello, readClientHello, recordHeadBytes, recordType } from "./client-hello.ts";
import type { Follower } from "./http-gate.ts";

const serverHello = 2;
const clientHello = 1;
const randomAt: number = recordHeadBytes + 4 + 2;
/** The random of a ServerHello that asks for another ClientHello (RFC 8446, 4.1.3). */
const retry = Buffer.from(
  "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c",
  "hex",
);

/**
 * Follows TLS behind its first ClientHello until no second one can come in the clear: a server that asks for one may go by
 * the name in the second. The bytes of a connection pass unread from the server's ServerHello on.
 */
export class HelloWatch implements Follower {
  readonly #serverName: string | null;
  readonly #refused: (why: Unreadable | string | null) => void;
  /** Bytes of the records that pass. */
  #passing: number;
  #over: boolean;
  #held: Buffer = Buffer.alloc(0);
  #answered: Buffer = Buffer.alloc(0);

  /** `opening` is what has come so far, the ClientHello at its start. `refused` is told the name that the second one has. */
  constructor(
    opening: Uint8Array,
    serverName: string | null,
    refused: (why: Unreadable | string | null) => void,
  ) {
    this.#serverName = serverName;
    this.#refused = refused;
    this.#passing = endOfHello(opening);
    this.#over = opening[0] !== recordType.handshake;
  }

  get holding(): boolean {
    return this.#held.length > 0;
  }

  answer(piece: Uint8Array): void {
    if (this.#over || this.#answered.length >= randomAt + retry.length) return;
    this.#answered = Buffer.concat([this.#answered, piece]).subarray(0, randomAt + retry.length);
    const [record, , , , , message] = this.#answered;
    if (record !== recordType.handshake || this.#answered.length < randomAt + retry.length) return;
    if (message === serverHello && !this.#answered.subarray(randomAt).equals(retry))
      this.#over = true;
  }

  take(piece: Uint8Array): Uint8Array | null {
    if (this.#over && this.#held.length === 0) return piece;
    const bytes = this.#held.length === 0 ? Buffer.from(piece) : Buffer.concat([this.#held, piece]);
    let at = 0;
    while (at < bytes.length && !this.#over) {
      if (this.#passing > 0) {
        const used = Math.min(this.#passing, bytes.length - at);
        this.#passing -= used;
        at += used;
        continue;
      }
      const used = this.#record(bytes.subarray(at));
      if (used === null) return null;
      if (used === 0) break;
      at += used;
    }
    if (this.#over) at = bytes.length;
    this.#held = Buffer.from(bytes.subarray(at));
    return bytes.subarray(0, at);
  }

  /** Bytes to let pass of a record's beginning; 0: more are needed. */
  #record(rest: Buffer): number | null {
    if (rest[0] !== recordType.handshake) {
      if (rest.length < recordHeadBytes) return 0;
      this.#passing = rest.readUInt16BE(3);
      return recordHeadBytes;
    }
    if (rest.length <= recordHeadBytes) return 0;
    if (rest[recordHeadBytes] !== clientHello) return this.#end(0);
    const hello = readClientHello(rest);
    if (hello.kind === "incomplete") return 0;
    if (hello.kind === "hello" && hello.serverName === this.#serverName)
      return this.#end(endOfHello(rest));
    if (hello.kind === "hello") this.#refused(hello.serverName);
    else this.#refused(hello.kind === "malformed" ? hello : null);
    return null;
  }

  #end(used: number): number {
    this.#over = true;
    return used;
  }
}
