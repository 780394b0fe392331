import { parseAddress } from "./address.ts";
import { wireName } from "./wire-name.ts";

/** Who a request is for: a canonical name, or an address in its one spelling. */
export interface Authority {
  readonly host: string;
  readonly port: number | null;
}

export interface RequestHead {
  readonly method: string;
  /** From a Host field; null when there is none. */
  readonly host: Authority | null;
  /** From a target that names one: CONNECT, and requests to a proxy. */
  readonly target: Authority | null;
  /** Bytes up to and including the empty line. */
  readonly length: number;
  readonly body: "none" | "chunked" | { readonly bytes: number };
  /** How the connection may stop being HTTP after this request. */
  readonly leavesHttp: "connect" | "upgrade" | null;
}

export type HeadReading =
  | { readonly kind: "incomplete" }
  | { readonly kind: "not-http" }
  | { readonly kind: "malformed" }
  | { readonly kind: "request"; readonly head: RequestHead };

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const lineBytesMax = 8 * 1024;

/**
 * Reads one request head. Strict about what two readers could understand differently (bare CR, folded
 * lines, two lengths, two hosts): that is malformed, because the other reader is a server. `anyMethod`
 * waits for the end of a first line whose method nobody knows.
 */
export function readRequestHead(bytes: Uint8Array, anyMethod = true): HeadReading {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  // Servers skip empty lines before a request.
  const start = /^[\r\n]*/.exec(text)?.[0].length ?? 0;
  const lineEnd = text.indexOf("\n", start);
  const first = text.slice(start, lineEnd < 0 ? undefined : lineEnd);
  if (!looksLikeRequest(first, lineEnd >= 0, anyMethod)) return { kind: "not-http" };
  if (lineEnd < 0) return { kind: first.length > lineBytesMax ? "malformed" : "incomplete" };
  const end = /\n\r?\n/.exec(text.slice(lineEnd));
  if (end === null) return { kind: "incomplete" };
  const length = lineEnd + end.index + end[0].length;
  const lines = text.slice(start, length).split("\n").slice(0, -2);
  const head = parseHead(
    lines.map((line) => line.replace(/\r$/, "")),
    length,
  );
  return head === null ? { kind: "malformed" } : { kind: "request", head };
}

/** A line that ends like a request's or begins with a method servers know; or the beginning of one. */
function looksLikeRequest(line: string, whole: boolean, anyMethod: boolean): boolean {
  if (whole) return /^[A-Za-z][A-Za-z-]*[ \t].*HTTP\/\d/i.test(line) || knownMethod.test(line);
  if (anyMethod) return /^([A-Za-z][A-Za-z-]{0,31}([ \t][^\n]*)?)?$/.test(line);
  return knownMethod.test(line) || methods.some((one) => one.startsWith(line.toUpperCase()));
}

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"];
const knownMethod: RegExp = new RegExp(`^(${methods.join("|")})[ \\t]`, "i");

function parseHead(lines: readonly string[], length: number): RequestHead | null {
  const [requestLine = "", ...fields] = lines;
  const parts = /^([A-Za-z-]+) ([^\s]+) HTTP\/1\.([01])$/.exec(requestLine);
  if (parts === null) return null;
  const [, method = "", uri = ""] = parts;
  const values = new Map<string, string[]>();
  for (const field of fields) {
    const colon = field.indexOf(":");
    const name = field.slice(0, Math.max(colon, 0)).toLowerCase();
    // Folded lines begin with a blank, smuggled ones have one before the colon.
    if (!token.test(name) || /[\r\0]/.test(field)) return null;
    const value = field.slice(colon + 1).trim();
    const all = values.get(name);
    if (all === undefined) values.set(name, [value]);
    else all.push(value);
  }
  const hosts = values.get("host") ?? [];
  const host = hosts[0] === undefined || hosts[0] === "" ? null : parseAuthority(hosts[0]);
  if (hosts.length > 1 || (hosts[0] && host === null)) return null;
  const target = parseTarget(method, uri);
  if (target === undefined) return null;
  const body = bodyOf(values);
  if (body === null) return null;
  const leavesHttp = method === "CONNECT" ? "connect" : values.has("upgrade") ? "upgrade" : null;
  return { method, host, target, length, body, leavesHttp };
}

/** Null: the target names nobody. Undefined: it is nonsense. */
function parseTarget(method: string, uri: string): Authority | null | undefined {
  if (method === "CONNECT") return parseAuthority(uri) ?? undefined;
  const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#@]*)(?:[/?#].*)?$/.exec(uri);
  if (absolute !== null) return parseAuthority(absolute[1] ?? "") ?? undefined;
  return uri.startsWith("/") || uri === "*" ? null : undefined;
}

export function parseAuthority(text: string): Authority | null {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+))(?::(\d{0,5}))?$/.exec(text);
  if (parts === null) return null;
  const host = parts[1] ?? parts[2] ?? "";
  const port = parts[3] ? Number(parts[3]) : null;
  if (port !== null && (port < 1 || port > 65535)) return null;
  const address = parseAddress(host);
  if (address !== null) return { host: address.text, port };
  const name = parts[1] === undefined ? wireName(host) : null;
  return name === null ? null : { host: name, port };
}

function bodyOf(values: ReadonlyMap<string, readonly string[]>): RequestHead["body"] | null {
  const encodings = values.get("transfer-encoding");
  const lengths = values.get("content-length");
  if (encodings !== undefined) {
    const plain = encodings.length === 1 && encodings[0]?.toLowerCase() === "chunked";
    return plain && lengths === undefined ? "chunked" : null;
  }
  if (lengths === undefined) return "none";
  const [text = ""] = lengths;
  if (lengths.length > 1 || !/^\d{1,15}$/.test(text)) return null;
  return { bytes: Number(text) };
}
