import { type ClientHttp2Session, connect, constants, sensitiveHeaders } from "node:http2";
import type { Duplex } from "node:stream";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type {
  OnInformational,
  UpstreamAnswer,
  UpstreamExchange,
  UpstreamRequest,
} from "./exchange.ts";
import { type Field, fieldsOfObject, objectOf } from "./fields.ts";
import { interimCount } from "./interim.ts";

/** One HTTP/2 connection to the upstream. */
export class UpstreamH2 {
  readonly #session: ClientHttp2Session;

  constructor(authority: string, socket: Duplex) {
    this.#session = connect(`https://${authority}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: limits.swap.streamWindowBytes },
      maxHeaderListPairs: limits.swap.headFieldsMax,
    });
    // Each request on it fails on its own.
    this.#session.on("error", () => {});
  }

  /** New requests can be sent. */
  get usable(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  open(request: UpstreamRequest, onInformational: OnInformational): UpstreamExchange {
    const head = {
      ...objectOf(request.fields),
      // The one form of it that HTTP/2 has, and servers of gRPC want it.
      ...(request.takesTrailers ? { te: "trailers" } : {}),
      ":method": request.method,
      ":path": request.path,
      ":scheme": "https",
      ":authority": request.authority,
      [sensitiveHeaders]: [request.sensitive],
    };
    const stream = this.#session.request(head, {
      endStream: !request.hasBody,
      waitForTrailers: request.hasBody,
    });
    let sent: readonly Field[] = [];
    let received: readonly Field[] = [];
    stream.on("wantTrailers", () => stream.sendTrailers(objectOf(sent)));
    stream.on("trailers", (given) => {
      received = fieldsOfObject(given);
    });
    stream.on(
      "headers",
      interimCount((refusal) => {
        stream.emit("error", refusal);
        stream.close(constants.NGHTTP2_CANCEL);
      }),
    );
    stream.on("headers", (given) =>
      onInformational(Number(given[":status"]), fieldsOfObject(given)),
    );
    const answer = new Promise<UpstreamAnswer>((resolve, reject) => {
      stream.on("error", reject);
      stream.on("response", (given, flags) =>
        resolve({
          status: Number(given[":status"]),
          fields: fieldsOfObject(given),
          body: stream,
          ended: (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0,
          trailers: () => received,
        }),
      );
      stream.on("close", () =>
        reject(
          new MicroagentError("channel_closed", "The upstream closed the stream without an answer"),
        ),
      );
    });
    answer.catch(() => {});
    return {
      body: request.hasBody ? stream : null,
      answer,
      end: (trailers) => {
        sent = trailers;
        stream.end();
      },
      abort: () => {
        if (!stream.destroyed) stream.close(constants.NGHTTP2_CANCEL);
      },
    };
  }

  close(): void {
    this.#session.destroy();
  }
}
