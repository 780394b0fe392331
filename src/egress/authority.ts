import { parseAddress } from "./address.ts";
import { wireName } from "./wire-name.ts";

/** Who a request is for: a name as it is compared, or an address in its one spelling. */
export interface Authority {
  readonly host: string;
  readonly port: number | null;
}

/** Bytes that two readers could understand differently, or that nobody should. */
export interface Unreadable {
  readonly kind: "malformed";
  readonly reason: string;
  /** What stands where a name should, as it is on the wire; null when something else is wrong. */
  readonly name: string | null;
}

export function unreadable(reason: string, name: string | null = null): Unreadable {
  return { kind: "malformed", reason, name };
}

export function isUnreadable(value: Authority | Unreadable): value is Unreadable {
  return "kind" in value;
}

/** `host[:port]` of a Host field or a target, by the grammar of RFC 3986 without a user. */
export function parseAuthority(text: string): Authority | Unreadable {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+))(?::([0-9]*))?$/.exec(text);
  if (parts === null) return unreadable("a host is no host", text);
  const [, six, plain = "", digits = ""] = parts;
  const port = digits === "" ? null : Number(digits);
  if (port !== null && (digits.length > 5 || port < 1 || port > 65535)) {
    return unreadable("a host has no port of TCP", text);
  }
  const address = parseAddress(six ?? plain);
  if (address !== null && (address.family === 6) === (six !== undefined)) {
    return { host: address.text, port };
  }
  const host = six === undefined ? wireName(plain) : null;
  return host === null ? unreadable("a host is no name", text) : { host, port };
}

/** Ports of the schemes that proxies are asked for. */
const schemePorts: Readonly<Record<string, number>> = {
  http: 80,
  ws: 80,
  https: 443,
  wss: 443,
  ftp: 21,
};

/** Whom a request's target names: null for the paths of a server itself. */
export function parseTarget(method: string, uri: string): Authority | null | Unreadable {
  if (method === "CONNECT") {
    const target = parseAuthority(uri);
    return isUnreadable(target) || target.port !== null
      ? target
      : unreadable("CONNECT names no port");
  }
  if (uri.startsWith("/") || uri === "*") return null;
  const absolute = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)/.exec(uri);
  if (absolute === null) return unreadable("the target is neither a path nor a URL");
  // What comes before a user's "@", after a "\" or before a "#" is the host for one reader and not for another.
  if (/[\\#]/.test(uri)) return unreadable('the target has a "\\" or a "#"', uri);
  const [, scheme = "", authority = ""] = absolute;
  if (authority.includes("@")) return unreadable("the target names a user", uri);
  const target = parseAuthority(authority);
  if (isUnreadable(target)) return target;
  return { host: target.host, port: target.port ?? schemePorts[scheme.toLowerCase()] ?? 80 };
}
