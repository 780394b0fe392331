import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type {
  OnInformational,
  UpstreamAnswer,
  UpstreamExchange,
  UpstreamRequest,
} from "./exchange.ts";
import { type Field, fieldsOf, flat, pairs } from "./fields.ts";
import { interimCount } from "./interim.ts";
import { LenientHeads } from "./lenient-heads.ts";
import { Refusal } from "./refusal.ts";

type Connect = () => Promise<TLSSocket>;

/** Keeps the connections of one guest connection open between its requests. */
export class UpstreamH1 {
  readonly #agent: Agent;

  constructor(connect: Connect) {
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: limits.swap.upstreamConnectionsMax,
      maxFreeSockets: limits.swap.upstreamConnectionsMax,
    });
    // The way an agent is given sockets of another making; its type says less than its documentation.
    (this.#agent as unknown as { createConnection: Agent["createConnection"] }).createConnection = (
      _options,
      done,
    ) => {
      connect().then(
        (socket) => done?.(null, new LenientHeads(socket) as unknown as Socket),
        (error: Error) => done?.(error, undefined as never),
      );
      return undefined as never;
    };
  }

  open(request: UpstreamRequest, onInformational: OnInformational): UpstreamExchange {
    const sent = this.#send(request);
    const answer = answerOf(sent, onInformational).catch((error) => {
      // A kept connection may end while we use it; a request without a body can go again.
      if (error instanceof Refusal) throw error;
      if (!sent.reusedSocket || request.hasBody || sent.destroyed === false) throw error;
      return answerOf(this.#send(request), onInformational);
    });
    // Whoever looks at it later still sees the failure.
    answer.catch(() => {});
    return {
      body: request.hasBody ? sent : null,
      answer,
      end: (trailers: readonly Field[]) => {
        if (trailers.length > 0) sent.addTrailers(pairs(trailers));
        sent.end();
      },
      abort: () => sent.destroy(),
    };
  }

  /** A request whose answer may be the end of HTTP on its connection. */
  upgrade(request: UpstreamRequest, protocol: string): ClientRequest {
    const fields: Field[] = [...request.fields, ["connection", "Upgrade"], ["upgrade", protocol]];
    return this.#send({ ...request, fields });
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(request: UpstreamRequest): ClientRequest {
    const framing: Field[] = !request.hasBody
      ? []
      : request.bodyBytes === null
        ? [["transfer-encoding", "chunked"]]
        : [];
    const noBody = !request.hasBody && /^(POST|PUT|PATCH)$/.test(request.method);
    const fields: Field[] = [
      ["host", request.authority],
      ...request.fields.filter(([name]) => name !== "content-length"),
      ...(request.bodyBytes !== null && request.hasBody
        ? ([["content-length", String(request.bodyBytes)]] as Field[])
        : []),
      ...(noBody ? ([["content-length", "0"]] as Field[]) : []),
      ...framing,
    ];
    const sent = httpRequest({
      agent: this.#agent,
      host: request.authority,
      method: request.method,
      path: request.path,
      headers: flat(fields),
      maxHeaderSize: limits.swap.headBytesMax,
      insecureHTTPParser: false,
    });
    sent.on(
      "information",
      interimCount((refusal) => {
        sent.emit("error", refusal);
        sent.destroy();
      }),
    );
    sent.once("socket", (socket: unknown) => {
      if (socket instanceof LenientHeads) socket.expectHead();
    });
    if (request.hasBody) sent.flushHeaders();
    else sent.end();
    return sent;
  }
}

function answerOf(sent: ClientRequest, onInformational: OnInformational): Promise<UpstreamAnswer> {
  return new Promise((resolve, reject) => {
    sent.on("error", reject);
    sent.on("information", (info) => onInformational(info.statusCode, fieldsOf(info.rawHeaders)));
    sent.on("response", (message) => resolve(answerIn(message)));
    // Nobody asked for one, so this is no answer to the question.
    sent.on("upgrade", (_message, socket) => {
      socket.destroy();
      reject(
        new MicroagentError(
          "protocol_violation",
          "The upstream switched protocols without being asked",
        ),
      );
    });
    sent.on("close", () =>
      reject(
        new MicroagentError(
          "channel_closed",
          "The upstream closed the connection without an answer",
        ),
      ),
    );
  });
}

export function answerIn(message: IncomingMessage): UpstreamAnswer {
  return {
    status: message.statusCode ?? 502,
    fields: fieldsOf(message.rawHeaders),
    body: message,
    ended: false,
    trailers: () => fieldsOf(message.rawTrailers),
  };
}
