import { errnoOf, isMicroagentError, MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import { Pace, pacedBody } from "../../host/pace.ts";
import { proxiedFetch, proxyFor } from "../../host/proxied-fetch.ts";
import type { Reach } from "./reach.ts";

export interface Request {
  readonly url: string;
  readonly method?: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  /** Sent to the first host only, never along a redirect to another. */
  readonly authorization?: string | null;
  /** May hold credentials, so it is never sent to another host either: such a redirect is an error. */
  readonly form?: URLSearchParams;
}

/** An answer whose body is read once or discarded. */
export interface Answer {
  readonly status: number;
  readonly url: string;
  header(name: string): string | null;
  /** Ends with an error when the sender stalls, drips or breaks off. */
  readonly body: AsyncIterable<Uint8Array>;
  discard(): Promise<void>;
  /** The whole body, at most `bytesMax`, in the time that a document may take. */
  bytes(bytesMax: number): Promise<Uint8Array | null>;
}

const redirectStatuses = [301, 302, 303, 307, 308];

/**
 * HTTP as registries need it: redirects that lose credentials at the border of a host and lead only where `Reach` lets
 * them, and bounds on silence and on the pace instead of one on the whole transfer. Failures are `registry_unreachable`.
 */
export class Http {
  readonly #reach: Reach;

  constructor(reach: Reach) {
    this.#reach = reach;
  }

  async send(op: Op, request: Request): Promise<Answer> {
    let url = new URL(request.url);
    let authorization = request.authorization ?? null;
    for (let hop = 0; hop <= limits.registry.redirectsMax; hop++) {
      const answer = await this.#once(op, url, request, authorization);
      const location = answer.header("location");
      if (!redirectStatuses.includes(answer.status) || location === null) return answer;
      await answer.discard();
      const next = this.#nextOf(url, location);
      if (next.origin !== url.origin) {
        if (request.form !== undefined) {
          throw misled(url, `it redirects a login to another host, "${next.host}"`);
        }
        authorization = null;
      }
      url = next;
    }
    throw misled(url, `it redirects more than ${limits.registry.redirectsMax} times`);
  }

  #nextOf(from: URL, location: string): URL {
    const next = URL.canParse(location, from.href) ? new URL(location, from.href) : null;
    if (next === null) throw misled(from, "it redirects to something that is not an address");
    const refusal = this.#reach.refusal(next);
    if (refusal === null) return next;
    const place = next.host === "" ? next.protocol : next.host;
    throw misled(from, `it redirects to "${place}", ${refusal}`);
  }

  async #once(op: Op, url: URL, request: Request, authorization: string | null): Promise<Answer> {
    op.check();
    const stop = new AbortController();
    const pace = new Pace(op, (reason) => timedOut(url, reason), stop);
    try {
      pace.start();
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
      pace.stop();
      return new FetchAnswer(op, url, response, stop, pace);
    } catch (error) {
      pace.stop();
      throw failure(op, url, error, stop.signal);
    }
  }
}

class FetchAnswer implements Answer {
  readonly status: number;
  readonly url: string;
  readonly body: AsyncIterable<Uint8Array>;
  readonly #op: Op;
  readonly #response: Response;
  readonly #stop: AbortController;

  constructor(op: Op, url: URL, response: Response, stop: AbortController, pace: Pace) {
    this.status = response.status;
    this.url = url.href;
    this.body = readBody(op, url, response, stop, pace);
    this.#op = op;
    this.#response = response;
    this.#stop = stop;
  }

  header(name: string): string | null {
    return this.#response.headers.get(name);
  }

  async discard(): Promise<void> {
    // Reading a short rest keeps the connection; a long or slow one is cut.
    const { errorBytesMax, discardMs } = limits.registry;
    const rest = Number(this.header("content-length") ?? "0");
    if (rest <= errorBytesMax) await this.#read(errorBytesMax, discardMs).catch(() => {});
    this.#stop.abort();
  }

  async bytes(bytesMax: number): Promise<Uint8Array | null> {
    return await this.#read(bytesMax, limits.registry.documentMs);
  }

  async #read(bytesMax: number, withinMs: number): Promise<Uint8Array | null> {
    const reason = `it did not end its answer within ${withinMs / 1000} seconds`;
    const cancel = this.#op.clock.after(withinMs, () =>
      this.#stop.abort(timedOut(new URL(this.url), reason)),
    );
    try {
      const chunks: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of this.body) {
        length += chunk.length;
        if (length > bytesMax) return null;
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    } finally {
      cancel();
    }
  }
}

async function* readBody(
  op: Op,
  url: URL,
  response: Response,
  stop: AbortController,
  pace: Pace,
): AsyncGenerator<Uint8Array> {
  try {
    yield* pacedBody(response, pace, stop);
  } catch (error) {
    throw failure(op, url, error, stop.signal);
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

function timedOut(url: URL, reason: string): MicroagentError {
  return unreachable(url, reason, "ETIMEDOUT", null);
}

/** For an answer that must not be followed: its text names what the sender chose, so nothing is concluded from it. */
function misled(url: URL, reason: string): MicroagentError {
  return new MicroagentError(
    "registry_unreachable",
    `Host "${url.host}" cannot be used: ${reason}`,
    {
      hint: `See where it leads: curl -sI ${url.origin}/v2/`,
      details: { host: url.host, errno: null, network: "other" },
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
