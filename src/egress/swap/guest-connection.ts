import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from "node:http2";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import type { GuestAnswer, GuestRequest } from "./exchange.ts";
import { GuestAnswerH1, guestRequestH1 } from "./guest-h1.ts";
import { GuestAnswerH2, guestRequestH2 } from "./guest-h2.ts";
import { Refusal } from "./refusal.ts";

export interface GuestHandlers {
  exchange(request: GuestRequest, answer: GuestAnswer): Promise<void>;
  upgrade(message: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
  refused(refusal: Refusal): void;
}

/** Serves HTTP on a guest's TLS connection until it closes. */
export function serveGuest(op: Op, socket: TLSSocket, handlers: GuestHandlers): void {
  if (socket.alpnProtocol === "h2") serveH2(op, socket, handlers);
  else serveH1(op, socket, handlers);
}

function serveH1(op: Op, socket: TLSSocket, handlers: GuestHandlers): void {
  const server = createServer({
    insecureHTTPParser: false,
    // Looked at with everything else that names a host, and audited.
    requireHostHeader: false,
    maxHeaderSize: limits.swap.headBytesMax,
    keepAliveTimeout: limits.swap.headMs,
  });
  server.maxHeadersCount = limits.swap.headFieldsMax + 1;
  const idle = new Idle(op, () => socket.destroy());
  const answerTo = (message: IncomingMessage, response: ServerResponse) => {
    idle.began();
    response.once("close", () => idle.ended());
    const onEarly = () => lingerOn(op, socket);
    handlers.exchange(guestRequestH1(message), new GuestAnswerH1(message, response, onEarly));
  };
  server.on("request", answerTo);
  // The expectation goes to the upstream, whose 100 comes back.
  server.on("checkContinue", answerTo);
  server.on("upgrade", (message: IncomingMessage, other: Duplex, head: Buffer) => {
    idle.began();
    handlers.upgrade(message, other, head);
  });
  server.on("connect", (_message: IncomingMessage, other: Duplex) => {
    handlers.refused(new Refusal(405, "CONNECT is not served", "connect-through-swap-host"));
    other.end("HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  server.on("clientError", (error: NodeJS.ErrnoException, other: Duplex) => {
    if (error.code?.startsWith("HPE_") !== true || !other.writable) return other.destroy();
    handlers.refused(new Refusal(400, "", `malformed-request (${error.code})`));
    const status =
      error.code === "HPE_HEADER_OVERFLOW"
        ? "431 Request Header Fields Too Large"
        : "400 Bad Request";
    other.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  });
  socket.once("close", () => idle.close());
  server.emit("connection", socket);
}

/**
 * Has a connection closed only when its client has: closing it while there is something unread resets it, and the
 * client loses the answer. Node closes by this method after the last answer.
 */
function lingerOn(op: Op, socket: TLSSocket): void {
  socket.destroySoon = () => {
    socket.end();
    socket.once(
      "close",
      op.clock.after(limits.swap.lingerMs, () => socket.destroy()),
    );
  };
}

function serveH2(op: Op, socket: TLSSocket, handlers: GuestHandlers): void {
  const session = performServerHandshake(socket, {
    settings: {
      maxConcurrentStreams: limits.swap.streamsMax,
      maxHeaderListSize: limits.swap.headBytesMax,
      initialWindowSize: limits.swap.streamWindowBytes,
      enableConnectProtocol: false,
    },
    maxHeaderListPairs: limits.swap.headFieldsMax,
  });
  const idle = new Idle(op, () => session.destroy());
  session.on("error", () => socket.destroy());
  session.once("close", () => {
    idle.close();
    socket.destroy();
  });
  const onStream = (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    _flags: number,
    raw: readonly string[],
  ) => {
    idle.began();
    stream.once("close", () => idle.ended());
    // Whoever waits for it hears of its end as well.
    stream.on("error", () => {});
    const request = guestRequestH2(stream, headers, raw);
    handlers.exchange(request, new GuestAnswerH2(op, stream, request));
  };
  // The type of the event leaves out the last parameter.
  session.on("stream", onStream as Parameters<typeof session.on>[1]);
}

/** Calls back when no exchange is under way for too long: the guest is silent, or slow with a head. */
class Idle {
  readonly #op: Op;
  readonly #onIdle: () => void;
  #running = 0;
  #cancel: () => void = () => {};

  constructor(op: Op, onIdle: () => void) {
    this.#op = op;
    this.#onIdle = onIdle;
    this.#wait();
  }

  began(): void {
    this.#running += 1;
    this.#cancel();
  }

  ended(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#wait();
  }

  close(): void {
    this.#running = Number.NaN;
    this.#cancel();
  }

  #wait(): void {
    this.#cancel = this.#op.clock.after(limits.swap.headMs, this.#onIdle);
  }
}
