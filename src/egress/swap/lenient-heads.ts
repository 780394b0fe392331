import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { limits } from "../../base/limits.ts";

/**
 * A connection to a server whose answers have heads that are odd and mean one thing: LF as a line end (RFC 9112, 2.2),
 * a folded field (5.2), or the same length several times (RFC 9110, 8.6). They are rewritten for Node's strict
 * parser, which refuses them; bodies and everything that has two meanings stay as they are.
 */
export class LenientHeads extends Duplex {
  /** None, as Node's agent looks for it: who waits for an answer has a bound of its own. */
  readonly timeout = 0;
  readonly #inner: TLSSocket;
  /** What has come of a head; null: a body is coming. */
  #head: Buffer | null = null;

  constructor(inner: TLSSocket) {
    super({ allowHalfOpen: true });
    this.#inner = inner;
    inner.on("data", (bytes: Buffer) => {
      if (!this.#take(bytes)) inner.pause();
    });
    inner.on("end", () => {
      if (this.#head !== null && this.#head.length > 0) this.push(this.#head);
      this.push(null);
    });
    inner.on("error", (error) => this.destroy(error));
    inner.on("close", () => this.destroy());
  }

  /** The next byte is the first of an answer. */
  expectHead(): void {
    this.#head = Buffer.alloc(0);
  }

  // What Node's agent calls of a socket.
  setKeepAlive(on: boolean, ms: number): this {
    this.#inner.setKeepAlive(on, ms);
    return this;
  }

  setNoDelay(on: boolean): this {
    this.#inner.setNoDelay(on);
    return this;
  }

  ref(): this {
    this.#inner.ref();
    return this;
  }

  unref(): this {
    this.#inner.unref();
    return this;
  }

  override _read(): void {
    this.#inner.resume();
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#inner.write(bytes, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#inner.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#inner.destroy();
    done(error);
  }

  #take(bytes: Buffer): boolean {
    if (this.#head === null) return this.push(bytes);
    const all = Buffer.concat([this.#head, bytes]);
    const end = endOfHead(all);
    if (end < 0 && all.length <= limits.swap.headBytesMax) {
      this.#head = all;
      return true;
    }
    this.#head = null;
    // A head that is too long is for the parser to refuse.
    if (end < 0) return this.push(all);
    const head = all.subarray(0, end).toString("latin1");
    // After an answer before the answer comes another head; 101 is the last of HTTP.
    if (/^HTTP\/1\.\d 1(?!01)\d\d/.test(head)) this.#head = Buffer.alloc(0);
    const passes = this.push(Buffer.from(rewritten(head), "latin1"));
    const rest = all.subarray(end);
    return rest.length === 0 ? passes : this.#take(rest);
  }
}

/** The first byte after the empty line; -1 when it has not come. */
function endOfHead(bytes: Buffer): number {
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at + 1] === 10) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10) return at + 3;
  }
  return -1;
}

function rewritten(head: string): string {
  const [status = "", ...lines] = head.split(/\r?\n/).slice(0, -2);
  const fields: string[] = [];
  for (const line of lines) {
    const last = fields.length - 1;
    if (/^[ \t]/.test(line) && last >= 0) fields[last] += ` ${line.replace(/^[ \t]+/, "")}`;
    else fields.push(line);
  }
  const isLength = (field: string) => /^content-length:/i.test(field);
  const lengths = fields
    .filter(isLength)
    .flatMap((field) => field.slice(field.indexOf(":") + 1).split(","))
    .map((length) => length.replace(/^[ \t]+|[ \t]+$/g, ""));
  const [length = ""] = lengths;
  const areSame = /^\d+$/.test(length) && lengths.every((one) => one === length);
  const shown = areSame
    ? [...fields.filter((field) => !isLength(field)), `Content-Length: ${length}`]
    : fields;
  return `${[status, ...shown].join("\r\n")}\r\n\r\n`;
}
