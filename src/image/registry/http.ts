import { errnoOf, isMicroagentError, MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import { proxiedFetch, proxyFor } from "../../host/proxied-fetch.ts";

export interface Request {
  readonly url: string;
  readonly method?: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  /** Sent to the first host only, never along a redirect to another. */
  readonly authorization?: string | null;
  readonly form?: URLSearchParams;
}

/** An answer whose body is read once or discarded. */
export interface Answer {
  readonly status: number;
  readonly url: string;
  header(name: string): string | null;
  /** Ends with an error when the sender stalls or breaks off. */
  readonly body: AsyncIterable<Uint8Array>;
  discard(): Promise<void>;
  /** The whole body, at most `bytesMax`. */
  bytes(bytesMax: number): Promise<Uint8Array | null>;
}

const redirectStatuses = [301, 302, 303, 307, 308];

/**
 * HTTP as registries need it: redirects that lose credentials at the border of a host and never lead from TLS to
 * plain text, and a bound on silence instead of one on the whole transfer. Failures are `registry_unreachable`.
 */
export class Http {
  readonly #mayBePlain: (host: string) => boolean;

  /** `mayBePlain` says which hosts (`host:port`) a redirect may reach in plain text. */
  constructor(mayBePlain: (host: string) => boolean) {
    this.#mayBePlain = mayBePlain;
  }

  async send(op: Op, request: Request): Promise<Answer> {
    let url = new URL(request.url);
    let authorization = request.authorization ?? null;
    for (let hop = 0; hop <= limits.registry.redirectsMax; hop++) {
      const answer = await this.#once(op, url, request, authorization);
      const location = answer.header("location");
      if (!redirectStatuses.includes(answer.status) || location === null) return answer;
      await answer.discard();
      const next = parseUrl(location, url);
      if (next.protocol === "http:" && !this.#mayBePlain(next.host)) {
        throw unreachable(url, `it redirects to "${next.host}" without TLS`, null, null);
      }
      if (next.origin !== url.origin) authorization = null;
      url = next;
    }
    throw unreachable(
      url,
      `it redirects more than ${limits.registry.redirectsMax} times`,
      null,
      null,
    );
  }

  async #once(op: Op, url: URL, request: Request, authorization: string | null): Promise<Answer> {
    op.check();
    const stop = new AbortController();
    const watch = new SilenceWatch(op, url, stop);
    try {
      watch.start();
      const response = await proxiedFetch(url, {
        method: request.method ?? "GET",
        redirect: "manual",
        signal: AbortSignal.any([op.signal, stop.signal]),
        headers: {
          "user-agent": "microagent",
          // Bytes are verified as they are stored: nobody may wrap them on the way.
          "accept-encoding": "identity",
          ...request.headers,
          ...(authorization === null ? {} : { authorization }),
        },
        ...(request.form === undefined ? {} : { body: request.form }),
      });
      watch.stop();
      return new FetchAnswer(op, url, response, stop, watch);
    } catch (error) {
      watch.stop();
      throw failure(op, url, error, stop.signal);
    }
  }
}

class FetchAnswer implements Answer {
  readonly status: number;
  readonly url: string;
  readonly body: AsyncIterable<Uint8Array>;
  readonly #response: Response;
  readonly #stop: AbortController;

  constructor(op: Op, url: URL, response: Response, stop: AbortController, watch: SilenceWatch) {
    this.status = response.status;
    this.url = url.href;
    this.body = readBody(op, url, response, stop, watch);
    this.#response = response;
    this.#stop = stop;
  }

  header(name: string): string | null {
    return this.#response.headers.get(name);
  }

  async discard(): Promise<void> {
    // Reading a short rest keeps the connection; a long one is cut.
    const rest = Number(this.header("content-length") ?? "0");
    if (rest <= limits.registry.errorBytesMax)
      await this.bytes(limits.registry.errorBytesMax).catch(() => {});
    this.#stop.abort();
  }

  async bytes(bytesMax: number): Promise<Uint8Array | null> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this.body) {
      length += chunk.length;
      if (length > bytesMax) return null;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }
}

async function* readBody(
  op: Op,
  url: URL,
  response: Response,
  stop: AbortController,
  watch: SilenceWatch,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  let ended = false;
  try {
    for (;;) {
      watch.start();
      const { done, value } = await reader.read();
      watch.stop();
      if (done) {
        ended = true;
        return;
      }
      yield value;
    }
  } catch (error) {
    throw failure(op, url, error, stop.signal);
  } finally {
    watch.stop();
    if (!ended) stop.abort();
  }
}

/** Aborts a request on which nothing has moved for too long. */
class SilenceWatch {
  readonly #op: Op;
  readonly #url: URL;
  readonly #stop: AbortController;
  #cancel: () => void = () => {};

  constructor(op: Op, url: URL, stop: AbortController) {
    this.#op = op;
    this.#url = url;
    this.#stop = stop;
  }

  start(): void {
    this.#cancel();
    this.#cancel = this.#op.clock.after(limits.registry.silenceMs, () =>
      this.#stop.abort(
        unreachable(
          this.#url,
          `it sent nothing for ${limits.registry.silenceMs / 1000} seconds`,
          "ETIMEDOUT",
          null,
        ),
      ),
    );
  }

  stop(): void {
    this.#cancel();
  }
}

/** What a network failure says about the other side: no TLS there, a certificate we do not trust, or only bad luck. */
export type NetworkFailure = "protocol" | "certificate" | "other";

/** Whether an error is a network failure of this kind. */
export function isNetworkFailure(error: MicroagentError, kind: NetworkFailure): boolean {
  return error.code === "registry_unreachable" && error.details.network === kind;
}

function failure(op: Op, url: URL, error: unknown, stopped: AbortSignal): unknown {
  if (op.signal.aborted) return op.signal.reason;
  if (stopped.aborted && isMicroagentError(stopped.reason)) return stopped.reason;
  if (isMicroagentError(error)) return error;
  const { code, message } = rootCause(error);
  return unreachable(
    url,
    code === undefined ? message : `${message} (${code})`,
    code ?? null,
    error,
  );
}

/** fetch wraps what happened once or twice; several addresses give several reasons. */
function rootCause(error: unknown): { code: string | undefined; message: string } {
  let current = error;
  for (let depth = 0; depth < 5; depth++) {
    if (current instanceof AggregateError && current.errors.length > 0) current = current.errors[0];
    else if (current instanceof Error && current.cause instanceof Error) current = current.cause;
    else break;
  }
  const message =
    current instanceof Error ? (current.message.split("\n")[0] ?? "") : String(current);
  return { code: errnoOf(current), message };
}

function unreachable(
  url: URL,
  reason: string,
  code: string | null,
  cause: unknown,
): MicroagentError {
  const network = classify(code, reason);
  return new MicroagentError(
    "registry_unreachable",
    `Host "${url.host}" cannot be used: ${reason}`,
    {
      ...(cause === null ? {} : { cause }),
      hint: hintFor(url, network),
      details: { host: url.host, errno: code, network },
    },
  );
}

function classify(code: string | null, reason: string): NetworkFailure {
  const text = `${code ?? ""} ${reason}`;
  if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME|certificate/i.test(text)) return "certificate";
  if (/ERR_SSL|EPROTO|wrong version number|packet length/i.test(text)) return "protocol";
  return /ECONNRESET|ECONNREFUSED|UND_ERR_SOCKET|other side closed|socket hang up/i.test(text)
    ? "protocol"
    : "other";
}

function hintFor(url: URL, network: NetworkFailure): string {
  if (network === "certificate") {
    return "Trust its authority with NODE_EXTRA_CA_CERTS=FILE.pem";
  }
  const proxy = proxyFor(url);
  if (proxy !== null) {
    return `Check the proxy that ${proxy} names, or list "${url.hostname}" in NO_PROXY`;
  }
  if (url.protocol === "https:" && network === "protocol") {
    return `If it speaks plain HTTP on purpose, list "${url.host}" as an insecure registry`;
  }
  return `Check that this host can reach it: curl -v ${url.origin}/v2/`;
}

function parseUrl(text: string, base: URL): URL {
  try {
    const url = new URL(text, base);
    if (url.protocol === "https:" || url.protocol === "http:") return url;
  } catch {
    // Told below.
  }
  throw unreachable(base, "it redirects to something that is no address", null, null);
}
