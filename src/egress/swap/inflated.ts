import { Duplex } from "node:stream";
import { createInflate, createInflateRaw } from "node:zlib";

/** Reads "deflate", which servers send with the header of zlib (RFC 9110, 8.4.1.2) and without it. */
export function inflated(): Duplex {
  return Duplex.from(async function* (source: AsyncIterable<Buffer>) {
    const pieces = source[Symbol.asyncIterator]();
    let head = Buffer.alloc(0);
    while (head.length < 2) {
      const next = await pieces.next();
      if (next.done === true) break;
      head = Buffer.concat([head, next.value]);
    }
    const decoder = hasZlibHead(head) ? createInflate() : createInflateRaw();
    const rest = Duplex.from(async function* () {
      yield head;
      for (let next = await pieces.next(); next.done !== true; next = await pieces.next())
        yield next.value;
    });
    rest.on("error", (error: Error) => decoder.destroy(error));
    yield* rest.pipe(decoder) as AsyncIterable<Buffer>;
  });
}

/** RFC 1950, 2.2: the method is 8, and the two bytes as a number are a multiple of 31. */
function hasZlibHead(head: Buffer): boolean {
  return head.length >= 2 && ((head[0] ?? 0) & 15) === 8 && head.readUInt16BE(0) % 31 === 0;
}
