import type { IncomingMessage, ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import type { GuestAnswer, GuestRequest } from "./exchange.ts";
import { type Field, fieldsOf, flat, pairs, valuesOf } from "./fields.ts";

export function guestRequestH1(message: IncomingMessage): GuestRequest {
  const fields = fieldsOf(message.rawHeaders);
  const framed =
    valuesOf(fields, "transfer-encoding").length > 0 ||
    valuesOf(fields, "content-length").some((length) => Number(length) > 0);
  return {
    method: message.method ?? "",
    target: message.url ?? "",
    authorities: valuesOf(fields, "host"),
    fields,
    body: framed ? message : null,
    trailers: () => fieldsOf(message.rawTrailers),
  };
}

export class GuestAnswerH1 implements GuestAnswer {
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #onEarly: () => void;

  /** `onEarly` is called for an answer that begins before the request has been read to its end. */
  constructor(message: IncomingMessage, response: ServerResponse, onEarly: () => void = () => {}) {
    this.#message = message;
    this.#onEarly = onEarly;
    this.#response = response;
    response.sendDate = false;
    // Whoever writes hears of the end by it being closed.
    response.on("error", () => {});
  }

  get begun(): boolean {
    return this.#response.headersSent;
  }

  informational(status: number): void {
    // Old clients stumble over the other ones, and may do without them.
    if (status === 100 && this.#message.headers.expect !== undefined && !this.begun) {
      this.#response.writeContinue();
    }
  }

  begin(status: number, fields: readonly Field[]): Writable {
    // Whether the rest of the body still comes is not known, so nothing may follow on this connection.
    if (!this.#message.complete) {
      this.#response.shouldKeepAlive = false;
      this.#onEarly();
    }
    this.#response.writeHead(status, flat(fields));
    this.#response.flushHeaders();
    return this.#response;
  }

  whole(status: number, fields: readonly Field[]): void {
    this.begin(status, fields);
    this.#response.end();
  }

  end(trailers: readonly Field[]): void {
    if (trailers.length > 0) this.#response.addTrailers(pairs(trailers));
    this.#response.end();
  }

  abort(): void {
    this.#message.destroy();
    this.#response.destroy();
  }

  onClose(callback: () => void): void {
    this.#response.once("close", callback);
  }
}
