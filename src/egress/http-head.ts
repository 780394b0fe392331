import {
  type Authority,
  isUnreadable,
  parseAuthority,
  parseTarget,
  type Unreadable,
  unreadable,
} from "./authority.ts";
import { couldBeRequest } from "./first-line.ts";
import { type Fields, isToken, listOf, readFields, withoutBlanks } from "./http-fields.ts";

export interface RequestHead {
  readonly method: string;
  /** From a Host field; null when there is none. */
  readonly host: Authority | null;
  /** From a target that names one: CONNECT, and requests to a proxy. */
  readonly target: Authority | null;
  /** Bytes up to and including the empty line. */
  readonly length: number;
  readonly body: Body;
  /** How the connection stops being HTTP after this request, if the server agrees. */
  readonly leavesHttp: "connect" | "upgrade" | null;
  /** What is sent instead of the head: hop-by-hop wishes that are not passed on are left out. Null: the head itself. */
  readonly rewritten: Buffer | null;
}

export type Body = "none" | "chunked" | { readonly bytes: number };

export type HeadReading =
  /** `text`: not even its first line has ended. */
  | { readonly kind: "incomplete"; readonly text: boolean }
  | { readonly kind: "not-http" }
  | Unreadable
  | { readonly kind: "request"; readonly head: RequestHead };

/** A request head is not longer than this, the empty lines before it included. */
export const headBytesMax: number = 16 * 1024;

/**
 * Reads one request head. Strict about what two readers could understand differently (bare CR, folded
 * lines, two lengths, two hosts): that is malformed, because the other reader is a server.
 */
export function readRequestHead(bytes: Uint8Array): HeadReading {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  // Servers skip empty lines before a request.
  const start = /^(?:\r?\n)*/.exec(text)?.[0].length ?? 0;
  const lineEnd = text.indexOf("\n", start);
  const line = text.slice(start, lineEnd < 0 ? undefined : lineEnd);
  if (!couldBeRequest(line, lineEnd >= 0)) return { kind: "not-http" };
  const requestLine =
    lineEnd < 0 ? null : readRequestLine(line.endsWith("\r") ? line.slice(0, -1) : line);
  if (requestLine !== null && "kind" in requestLine) return requestLine;
  const end = lineEnd < 0 ? -1 : endOfHead(text, lineEnd);
  if (end > headBytesMax || (end < 0 && bytes.length >= headBytesMax)) {
    return unreadable(`its head is longer than ${headBytesMax} bytes`);
  }
  if (end < 0 || requestLine === null) return { kind: "incomplete", text: lineEnd < 0 };
  const lines = text
    .slice(start, end)
    .split("\n")
    .slice(0, -2)
    .map((one) => (one.endsWith("\r") ? one.slice(0, -1) : one));
  return parseHead(requestLine, lines, end);
}

interface RequestLine {
  readonly method: string;
  readonly target: Authority | null;
  readonly old: boolean;
}

function readRequestLine(line: string): RequestLine | Unreadable {
  const parts = /^([^ ]+) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/.exec(line);
  if (parts === null) return unreadable("its first line is no request line of HTTP/1");
  const [, method = "", uri = "", minor = ""] = parts;
  if (!isToken(method)) return unreadable("its method is no token");
  const target = parseTarget(method, uri);
  if (target !== null && isUnreadable(target)) return target;
  return { method, target, old: minor === "0" };
}

/** Where the empty line ends; -1 while there is none. */
function endOfHead(text: string, lineEnd: number): number {
  for (let at = lineEnd; at >= 0; at = text.indexOf("\n", at + 1)) {
    if (text[at + 1] === "\n") return at + 2;
    if (text[at + 1] === "\r" && text[at + 2] === "\n") return at + 3;
  }
  return -1;
}

function parseHead(
  { method, target, old }: RequestLine,
  lines: readonly string[],
  length: number,
): HeadReading {
  const fields = readFields(lines.slice(1));
  if (typeof fields === "string") return unreadable(fields);
  const host = hostOf(fields);
  if (host !== null && isUnreadable(host)) return host;
  const body = bodyOf(fields, old);
  if (typeof body === "string" && body !== "none" && body !== "chunked") return unreadable(body);
  const connect = method === "CONNECT";
  if (connect && body !== "none") return unreadable("CONNECT has a body");
  const upgrades = listOf(fields, "upgrade");
  const dropsHttp2 = upgrades.includes("h2c") || fields.has("http2-settings");
  const others = upgrades.filter((protocol) => protocol !== "h2c");
  const leavesHttp = connect ? "connect" : others.length > 0 ? "upgrade" : null;
  const rewritten = dropsHttp2 ? withoutHttp2(lines, others.length > 0) : null;
  return {
    kind: "request",
    head: { method, host, target, length, body: body as Body, leavesHttp, rewritten },
  };
}

function hostOf(fields: Fields): Authority | null | Unreadable {
  const [value, other] = fields.get("host") ?? [];
  if (other !== undefined) return unreadable("it has two Host fields");
  return value === undefined || value === "" ? null : parseAuthority(value);
}

/** The sentence says why the end of the body cannot be known. */
function bodyOf(fields: Fields, old: boolean): Body | string {
  const [coding, otherCoding] = fields.get("transfer-encoding") ?? [];
  const [text, otherLength] = fields.get("content-length") ?? [];
  if (coding !== undefined) {
    if (text !== undefined) return "it has a Content-Length and a Transfer-Encoding";
    if (old) return "HTTP/1.0 has no Transfer-Encoding";
    const plain = otherCoding === undefined && coding.toLowerCase() === "chunked";
    return plain ? "chunked" : "its Transfer-Encoding is not just chunked";
  }
  if (text === undefined) return "none";
  if (otherLength !== undefined) return "it has two Content-Length fields";
  return /^[0-9]{1,15}$/.test(text) ? { bytes: Number(text) } : "its Content-Length is no number";
}

/**
 * The head without the wish for HTTP/2: the upgrade is hop-by-hop, and this hop does not take part. The client stays on
 * HTTP/1.1, whose requests can be judged one by one.
 */
function withoutHttp2(lines: readonly string[], upgrades: boolean): Buffer {
  const kept = lines.flatMap((line) => {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    if (name === "http2-settings") return [];
    if (name !== "upgrade" && name !== "connection") return [line];
    const members = line
      .slice(colon + 1)
      .split(",")
      .map(withoutBlanks)
      .filter((member) => {
        const word = member.toLowerCase();
        if (word === "" || word === "h2c" || word === "http2-settings") return false;
        return word !== "upgrade" || upgrades;
      });
    return members.length === 0 ? [] : [`${line.slice(0, colon)}: ${members.join(", ")}`];
  });
  return Buffer.from(`${kept.join("\r\n")}\r\n\r\n`, "latin1");
}
