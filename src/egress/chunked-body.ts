import { readFields } from "./http-fields.ts";
import { SizedBody } from "./sized-body.ts";

const sizeLineMax = 1024;
const trailerBytesMax = 16 * 1024;
/** Fields that say where a message ends, or whom it is for: after the body some servers still believe them. */
const notTrailers = ["host", "content-length", "transfer-encoding", "connection", "upgrade"];

const word = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const quoted =
  '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"';
const sizeLine: RegExp = new RegExp(
  `^([0-9A-Fa-f]{1,12})(?:[ \\t]*;[ \\t]*${word}(?:[ \\t]*=[ \\t]*(?:${word}|${quoted}))?)*\\r\\n$`,
);

/** Follows one chunked body by the letter of RFC 9112: every size, extension, end of data and trailer. */
export class ChunkedBody {
  #expecting: "size" | "data" | "data-end" | "trailers" | "over" = "size";
  #chunk: SizedBody = new SizedBody(0);
  #trailerBytes = 0;

  get over(): boolean {
    return this.#expecting === "over";
  }

  /** How many of the bytes were used up; 0: more are needed; otherwise what is wrong. */
  take(rest: Buffer): number | string {
    switch (this.#expecting) {
      case "size":
        return this.#size(rest);
      case "data": {
        const used = this.#chunk.take(rest);
        if (this.#chunk.over) this.#expecting = "data-end";
        return used;
      }
      case "data-end":
        if (rest[0] !== 0x0d) return "a chunk does not end where its size says";
        if (rest.length < 2) return 0;
        if (rest[1] !== 0x0a) return "a chunk does not end where its size says";
        this.#expecting = "size";
        return 2;
      case "trailers":
        return this.#trailer(rest);
      case "over":
        return 0;
      default:
        return this.#expecting satisfies never;
    }
  }

  #size(rest: Buffer): number | string {
    const end = rest.indexOf(0x0a);
    if (end < 0) return rest.length > sizeLineMax ? "the size of a chunk is no number" : 0;
    const size = sizeLine.exec(rest.toString("latin1", 0, Math.min(end, sizeLineMax) + 1))?.[1];
    if (size === undefined) return "the size of a chunk is no number";
    this.#chunk = new SizedBody(Number.parseInt(size, 16));
    this.#expecting = this.#chunk.over ? "trailers" : "data";
    return end + 1;
  }

  #trailer(rest: Buffer): number | string {
    const end = rest.indexOf(0x0a);
    const size = end < 0 ? rest.length : end + 1;
    if (this.#trailerBytes + size > trailerBytesMax) return "the trailers are too long";
    if (end < 0) return 0;
    this.#trailerBytes += size;
    if (end === 0 || rest[end - 1] !== 0x0d) return "a trailer does not end with CRLF";
    if (end === 1) {
      this.#expecting = "over";
      return size;
    }
    const fields = readFields([rest.toString("latin1", 0, end - 1)]);
    if (typeof fields === "string") return `of its trailers, ${fields}`;
    const odd = notTrailers.find((name) => fields.has(name));
    return odd === undefined ? size : `"${odd}" is a trailer`;
  }
}
