import { pipeline, type Readable, type Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { asMicroagentError, isMicroagentError, type MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { CredentialSource } from "./acquire.ts";
import type { Credential } from "./credential.ts";
import type {
  GuestAnswer,
  GuestRequest,
  UpstreamAnswer,
  UpstreamExchange,
  UpstreamRequest,
} from "./exchange.ts";
import { endToEnd, type Field, tooManyFields, valuesOf } from "./fields.ts";
import type { EchoGuard } from "./redactor.ts";
import { Refusal, refuse } from "./refusal.ts";
import { relay } from "./relay.ts";
import type { SwapRule } from "./rule.ts";
import type { Upstream } from "./upstream.ts";

/** What all requests of one guest connection have in common. */
export interface Destination {
  /** The name of the guest's ClientHello, which alone decides about the credential. */
  readonly name: string;
  readonly port: number;
  readonly rule: SwapRule;
  readonly source: CredentialSource;
  readonly upstream: Upstream;
  /** A guard for one answer. */
  guard(): EchoGuard;
  readonly report: Report;
}

/** What the audit hears of requests. */
export interface Report {
  swapped(): void;
  swapFailed(error: MicroagentError): void;
  refused(refusal: Refusal): void;
  /** A stage for the answer's body, where it may say what it cost. */
  meter(fields: readonly Field[]): Transform | null;
}

/** Lines by which a guest could bring a credential of its own; none of them leaves. */
const credentialFields = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

const requestOnly: ReadonlySet<string> = new Set(["host", "accept-encoding"]);
/** The second announces HTTP/3, which no guest can reach. */
const answerOnly: ReadonlySet<string> = new Set(["alt-svc"]);

/** One request of the guest and its answer. Never fails: what goes wrong is told to the guest, or breaks it off. */
export async function forward(
  op: Op,
  destination: Destination,
  request: GuestRequest,
  answer: GuestAnswer,
): Promise<void> {
  let exchange: UpstreamExchange | null = null;
  let gone = false;
  answer.onClose(() => {
    gone = true;
    exchange?.abort();
  });
  try {
    const { outgoing, credential } = await prepare(op, destination, request);
    if (gone) return;
    const guard = destination.guard();
    exchange = await destination.upstream.request(outgoing, (status, fields) =>
      answer.informational(status, hidden(guard, endToEnd(fields, answerOnly))),
    );
    if (gone) return exchange.abort();
    // An upload that fails ends the exchange, and so the wait for its answer.
    send(op, request, outgoing, exchange).catch(() => {});
    const received = await op.race(exchange.answer);
    if (received.status === 401) destination.source.reject(credential);
    await giveBack(op, request, received, guard, answer, destination.report);
    // An answer may come before the question has been read to its end; the rest is of no use then.
    if (request.body !== null && !request.body.readableEnded) exchange.abort();
  } catch (error) {
    exchange?.abort();
    if (gone) return;
    if (answer.begun) return answer.abort();
    const refusal = refusalOf(error);
    if (refusal.audited) destination.report.refused(refusal);
    refuse(answer, refusal);
  }
}

/** The request as the upstream gets it. Refuses, or fails before anything of it has left. */
export async function prepare(
  op: Op,
  destination: Destination,
  request: GuestRequest,
): Promise<{ readonly outgoing: UpstreamRequest; readonly credential: Credential }> {
  const { name, port, rule, source, report } = destination;
  const path = checkedPath(request, name, port);
  if (tooManyFields(request.fields))
    throw new Refusal(431, "The head of the request is too large", "head-too-large");
  let credential: Credential;
  try {
    credential = await source.acquire(op);
  } catch (error) {
    const known = asMicroagentError(error);
    report.swapFailed(known);
    throw new Refusal(
      502,
      `The credential for "${name}" could not be had on the host (${known.code})`,
      null,
    );
  }
  const header = rule.header.toLowerCase();
  const removed = new Set([...requestOnly, ...credentialFields, header]);
  const fields: Field[] = [
    ...endToEnd(request.fields, removed),
    // An answer that cannot be read cannot be searched for the credential either.
    ["accept-encoding", "identity"],
    [header, credential.formatted(rule.format)],
  ];
  const length = valuesOf(request.fields, "content-length")[0];
  const outgoing: UpstreamRequest = {
    method: request.method,
    path,
    authority: authorityOf(name, port),
    fields: fields.filter(([field]) => field !== "content-length"),
    sensitive: header,
    hasBody: request.body !== null,
    bodyBytes: length === undefined ? null : Number(length),
  };
  report.swapped();
  return { outgoing, credential };
}

export function authorityOf(name: string, port: number): string {
  return port === 443 ? name : `${name}:${port}`;
}

/** The path of a request that names no other host than the one the connection is for. */
function checkedPath(request: GuestRequest, name: string, port: number): string {
  const absolute = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/i.exec(request.target);
  const named = [...request.authorities, ...(absolute === null ? [] : [absolute[2] ?? ""])];
  const allowed = [`${name}:${port}`, ...(port === 443 ? [name] : [])];
  if (request.authorities.length === 0) {
    throw new Refusal(400, "The request names no host", "malformed-request");
  }
  const other = named.find(
    (host) => !allowed.includes(host.toLowerCase().replace(/\.(?=:|$)/, "")),
  );
  if (
    other !== undefined ||
    (request.authorities.length > 1 && new Set(request.authorities).size > 1)
  ) {
    throw new Refusal(
      421,
      `The request is for another host than the connection, which is for "${name}"`,
      "host-mismatch",
      "name-destination-mismatch",
    );
  }
  if (absolute !== null && absolute[1]?.toLowerCase() !== "https") {
    throw new Refusal(
      421,
      "The request is not for https",
      "host-mismatch",
      "name-destination-mismatch",
    );
  }
  const path = absolute === null ? request.target : (absolute[3] ?? "") || "/";
  // A path of one more slash could be read as a host, and what is no visible ASCII as anything.
  if (!/^(\/[\x21-\x7e]*|\*)$/.test(path))
    throw new Refusal(400, "The path is malformed", "malformed-request");
  return path;
}

async function send(
  op: Op,
  request: GuestRequest,
  outgoing: UpstreamRequest,
  exchange: UpstreamExchange,
): Promise<void> {
  if (request.body === null || exchange.body === null) return;
  try {
    await relay(op, request.body, exchange.body, outgoing.bodyBytes);
    exchange.end(
      request.trailers().filter(([name]) => !outgoing.fields.some((field) => field[0] === name)),
    );
  } catch (error) {
    exchange.abort();
    throw error;
  }
}

async function giveBack(
  op: Op,
  request: GuestRequest,
  received: UpstreamAnswer,
  guard: EchoGuard,
  answer: GuestAnswer,
  report: Report,
): Promise<void> {
  const bodiless = request.method === "HEAD" || received.status === 204 || received.status === 304;
  const fields = endToEnd(received.fields, answerOnly);
  if (tooManyFields(fields)) throw badUpstream("sent a head that is too large");
  const decoders = bodiless ? [] : decodersOf(fields);
  const dropped = decoders.length === 0 ? [] : ["content-encoding", "content-length"];
  const shown = fields.filter(([name]) => !dropped.includes(name));
  const sink = answer.begin(received.status, hidden(guard, shown));
  if (bodiless) {
    received.body.resume();
    return answer.end([]);
  }
  const meter = report.meter(fields);
  const meters = meter === null ? [] : [meter];
  const last = pipeline(
    [received.body, ...decoders, guard.stream(), ...meters] as [Readable, Transform],
    () => {},
  );
  await relay(op, last as unknown as Readable, sink, null);
  answer.end(hidden(guard, received.trailers()));
}

function hidden(guard: EchoGuard, fields: readonly Field[]): readonly Field[] {
  return fields.map(([name, value]): Field => [guard.text(name), guard.text(value)]);
}

/** For a server that compresses although it was asked not to. */
function decodersOf(fields: readonly Field[]): Transform[] {
  const codings = valuesOf(fields, "content-encoding")
    .flatMap((value) => value.split(","))
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== "" && coding !== "identity");
  if (codings.length > 2) throw badUpstream("compressed its answer more than twice");
  return codings.reverse().map((coding) => {
    switch (coding) {
      case "gzip":
      case "x-gzip":
        return createGunzip();
      case "deflate":
        return createInflate();
      case "br":
        return createBrotliDecompress();
      default:
        throw badUpstream("compressed its answer in a way that cannot be searched");
    }
  });
}

function badUpstream(what: string): Refusal {
  return new Refusal(502, `The server ${what}`, "bad-upstream-answer");
}

/** What Node says of a head that it will not write: the guest's doing. */
const malformed: ReadonlySet<string> = new Set([
  "ERR_INVALID_CHAR",
  "ERR_INVALID_HTTP_TOKEN",
  "ERR_UNESCAPED_CHARACTERS",
  "ERR_HTTP2_HEADER_SINGLE_VALUE",
  "ERR_HTTP2_INVALID_CONNECTION_HEADERS",
]);

/** What the guest is told of a failure. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (isMicroagentError(error) && error.details.audited === true) {
    return new Refusal(502, error.message, null);
  }
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code !== undefined && malformed.has(code)
    ? new Refusal(400, "The request is malformed", "malformed-request")
    : new Refusal(502, "The server broke off the exchange", "upstream-broke-off");
}
