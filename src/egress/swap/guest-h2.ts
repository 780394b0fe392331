import { constants, type ServerHttp2Stream } from "node:http2";
import type { Writable } from "node:stream";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import type { GuestAnswer, GuestRequest } from "./exchange.ts";
import { type Field, fieldsOf, fieldsOfObject, objectOf, valuesOf } from "./fields.ts";

export function guestRequestH2(
  stream: ServerHttp2Stream,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  raw: readonly string[],
): GuestRequest {
  const fields = fieldsOf(raw);
  const authority = headers[":authority"];
  let trailers: readonly Field[] = [];
  stream.once("trailers", (given) => {
    trailers = fieldsOfObject(given);
  });
  return {
    method: String(headers[":method"] ?? ""),
    target: String(headers[":path"] ?? ""),
    authorities: [
      ...(authority === undefined ? [] : [String(authority)]),
      ...valuesOf(fields, "host"),
    ],
    fields,
    body: stream.endAfterHeaders ? null : stream,
    trailers: () => trailers,
  };
}

export class GuestAnswerH2 implements GuestAnswer {
  readonly #stream: ServerHttp2Stream;
  readonly #expected: boolean;
  #trailers: readonly Field[] = [];

  constructor(op: Op, stream: ServerHttp2Stream, request: GuestRequest) {
    this.#stream = stream;
    this.#expected = valuesOf(request.fields, "expect").length > 0;
    stream.on("wantTrailers", () => stream.sendTrailers(objectOf(this.#trailers)));
    // A client that still sends is cut off gently, and late: many do not read the answer of a stream that was reset.
    stream.once("finish", () => {
      if (stream.readableEnded || stream.destroyed) return;
      const close = () => stream.close(constants.NGHTTP2_NO_ERROR);
      stream.once("close", op.clock.after(limits.swap.lingerMs, close));
    });
  }

  get begun(): boolean {
    return this.#stream.headersSent;
  }

  informational(status: number, fields: readonly Field[]): void {
    if (this.begun || this.#stream.destroyed || (status === 100 && !this.#expected)) return;
    this.#stream.additionalHeaders({ ":status": status, ...objectOf(fields) });
  }

  begin(status: number, fields: readonly Field[]): Writable {
    this.#stream.respond({ ":status": status, ...objectOf(fields) }, { waitForTrailers: true });
    return this.#stream;
  }

  whole(status: number, fields: readonly Field[]): void {
    this.#stream.respond({ ":status": status, ...objectOf(fields) }, { endStream: true });
  }

  end(trailers: readonly Field[]): void {
    this.#trailers = trailers;
    this.#stream.end();
  }

  abort(): void {
    if (!this.#stream.destroyed) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  onClose(callback: () => void): void {
    this.#stream.once("close", callback);
  }
}
