import { asMicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { invitesCoding } from "./codings.ts";
import type { Credential } from "./credential.ts";
import type { Destination } from "./destination.ts";
import type { GuestRequest, UpstreamRequest } from "./exchange.ts";
import { endToEnd, type Field, isForTrailer, tooManyFields, valuesOf } from "./fields.ts";
import { Refusal } from "./refusal.ts";

/** Lines by which a guest could bring a credential of its own; none of them leaves. */
const credentialFields = [
  "authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "proxy-authorization",
];

export interface Prepared {
  readonly outgoing: UpstreamRequest;
  readonly credential: Credential;
  /** What may follow the body of what the guest wrote there. */
  trailers(): readonly Field[];
}

/** The request as the upstream gets it. Refuses, or fails before anything of it has left. */
export async function prepare(
  op: Op,
  destination: Destination,
  request: GuestRequest,
): Promise<Prepared> {
  const { name, port, rule, source, report } = destination;
  const path = checkedPath(request, name, port);
  if (tooManyFields(request.fields))
    throw new Refusal(431, "The head of the request is too large", "head-too-large");
  let credential: Credential;
  try {
    const acquired = await source.acquire(op);
    credential = acquired.credential;
    if (acquired.isLimited) report.limited();
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
  const isTaken = takenBy(header);
  const kept = endToEnd(request.fields).filter(([field]) => !isTaken(field));
  const outgoing: UpstreamRequest = {
    method: request.method,
    path,
    authority: authorityOf(name, port),
    fields: [
      ...kept.filter(([field]) => field !== "content-length"),
      // An answer that cannot be read cannot be searched for the credential either.
      ["accept-encoding", "identity"],
      [header, credential.formatted()],
    ],
    sensitive: header,
    hasBody: request.body !== null,
    bodyBytes: lengthOf(request),
    takesTrailers: valuesOf(request.fields, "te").some((value) =>
      /(^|,)[ \t]*trailers/i.test(value),
    ),
  };
  report.swapped();
  const trailers = () =>
    request.trailers().filter(([field]) => isForTrailer(field) && !isTaken(field));
  return { outgoing, credential, trailers };
}

/**
 * Names of the guest's fields that do not leave. Servers that hand fields to programs as variables do not tell `X_Token`
 * from `X-Token`, and some take any other character for it as well.
 */
function takenBy(header: string): (name: string) => boolean {
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, "-");
  const taken = new Set([...credentialFields, header].map(plain));
  return (name) => name === "host" || taken.has(plain(name)) || invitesCoding(plain(name));
}

function lengthOf(request: GuestRequest): number | null {
  const length = valuesOf(request.fields, "content-length")[0];
  return length === undefined ? null : Number(length);
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
