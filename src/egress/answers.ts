import { limits } from "../base/limits.ts";
import { ChunkedBody } from "./chunked-body.ts";
import { readFields } from "./http-fields.ts";
import { SizedBody } from "./sized-body.ts";

const headBytesMax = 64 * 1024;
const requestsMax = 1_024;

/** A request whose answer is to come. */
interface Asked {
  readonly method: string;
  readonly leavesHttp: "connect" | "upgrade" | null;
}

/**
 * Follows a server's answers only to learn whether it agreed to leave HTTP. An answer that is odd is none of the gate's
 * business: it passes, and from then on nothing is learnt, so that nothing is taken for an agreement.
 */
export class Answers {
  readonly #onFinal: (left: boolean, rest: Uint8Array) => void;
  readonly #asked: Asked[] = [];
  #expecting: "head" | "body" | "nothing" = "head";
  #held: Buffer = Buffer.alloc(0);
  #body: SizedBody | ChunkedBody = new SizedBody(0);
  #interim = 0;

  /** `onFinal` is called with the answer to a request to leave HTTP: whether it was a yes, and what has come after it. */
  constructor(onFinal: (left: boolean, rest: Uint8Array) => void) {
    this.#onFinal = onFinal;
  }

  expect(asked: Asked): void {
    if (this.#expecting === "nothing") return;
    this.#asked.push(asked);
    if (this.#asked.length > requestsMax) this.#lose();
  }

  /** Called with every piece before the guest gets it, so that the guest's next bytes find the answer known. */
  take(piece: Uint8Array): void {
    if (this.#expecting === "nothing") return;
    const given = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    const bytes = this.#held.length === 0 ? given : Buffer.concat([this.#held, given]);
    let at = 0;
    while (at < bytes.length) {
      const used = this.#step(bytes.subarray(at));
      if (used === 0) break;
      at += used;
    }
    this.#held = Buffer.from(bytes.subarray(at));
    if (this.#held.length > headBytesMax) this.#lose();
  }

  #step(rest: Buffer): number {
    switch (this.#expecting) {
      case "head":
        return this.#head(rest);
      case "body": {
        const used = this.#body.take(rest);
        if (typeof used === "string") return this.#lose();
        if (this.#body.over) this.#expecting = "head";
        return used;
      }
      case "nothing":
        return 0;
      default:
        return this.#expecting satisfies never;
    }
  }

  #head(rest: Buffer): number {
    const [asked] = this.#asked;
    if (asked === undefined) return this.#lose();
    const end = endOf(rest);
    if (end === 0) return 0;
    const [statusLine = "", ...lines] = rest
      .toString("latin1", 0, end)
      .split("\n")
      .slice(0, -2)
      .map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
    const [, minor, digits] = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: .*)?$/.exec(statusLine) ?? [];
    const fields = readFields(lines);
    if (digits === undefined || typeof fields === "string") return this.#lose();
    const status = Number(digits);
    if (status < 200 && status !== 101) {
      this.#interim += 1;
      return this.#interim > limits.egress.interimAnswersMax ? this.#lose() : end;
    }
    this.#interim = 0;
    this.#asked.shift();
    const connected = asked.leavesHttp === "connect" && status >= 200 && status < 300;
    const upgraded = asked.leavesHttp === "upgrade" && status === 101;
    const left = connected || upgraded;
    if (asked.leavesHttp !== null) this.#onFinal(left, rest.subarray(end));
    if (connected || status === 101) return this.#lose();
    this.#expectBody(asked, status, fields, minor === "0");
    return end;
  }

  #expectBody(
    { method }: Asked,
    status: number,
    fields: ReadonlyMap<string, readonly string[]>,
    old: boolean,
  ): void {
    if (method === "HEAD" || status === 204 || status === 304) return;
    const codings = fields.get("transfer-encoding");
    const lengths = fields.get("content-length");
    if (codings !== undefined) {
      if (old || lengths !== undefined || codings.join().toLowerCase() !== "chunked") {
        this.#lose();
        return;
      }
      this.#expecting = "body";
      this.#body = new ChunkedBody();
      return;
    }
    const text = lengths?.[0] ?? "";
    // Without a length it lasts until the connection ends.
    if (!/^[0-9]{1,15}$/.test(text) || lengths?.some((other) => other !== text)) {
      this.#lose();
      return;
    }
    this.#body = new SizedBody(Number(text));
    if (!this.#body.over) this.#expecting = "body";
  }

  #lose(): 0 {
    this.#expecting = "nothing";
    this.#held = Buffer.alloc(0);
    return 0;
  }
}

/** Where the empty line after a head ends; 0 while there is none. */
function endOf(bytes: Buffer): number {
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) {
    if (bytes[at + 1] === 0x0a) return at + 2;
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === 0x0a) return at + 3;
  }
  return 0;
}
