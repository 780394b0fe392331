import { type Address, parseAddress } from "./address.ts";
import { classify } from "./address-class.ts";
import type { EgressSignal } from "./audit-event.ts";
import type { Authority, Unreadable } from "./authority.ts";
import type { FirstBytes } from "./first-bytes.ts";
import type { HostLists } from "./host-lists.ts";
import type { RequestHead } from "./http-head.ts";
import { isResolverAddress, isResolverName } from "./known-resolvers.ts";

/** Whether what a connection says about itself fits where it goes. */
export interface Agreement {
  readonly agreed: boolean;
  /** The name it is for, "" when none is known. */
  readonly host: string;
  readonly reason: string;
  readonly signal: EgressSignal | undefined;
  /** The entry of a list that would let a denied one through, "" when none would. */
  readonly allowWith: string;
}

export interface Claim {
  /** Null: a proxy looks it up. */
  readonly address: Address | null;
  readonly port: number;
  /** Names of which it must say one; null: nothing is demanded, only noted. */
  readonly mustName: readonly string[] | null;
  /** A rule names this port: what can be read must not name another host, and what cannot be read passes. */
  readonly anyProtocol: boolean;
  /** The latest name the address was given for, "" without one. */
  readonly bestName: string;
  /** Only listed places may be asked of a proxy; else any but an inside address. */
  readonly strict: boolean;
  /** Texts of this host's addresses. */
  readonly own: ReadonlySet<string>;
  /** True when our resolver gave the flow's address for this name. */
  readonly gave: (name: string) => boolean;
}

/** Begins the reason of what was asked of a proxy: its host is not that of the connection. */
export const askedOfProxy = "the proxy is asked for";

/** A host is listed without these: whoever may speak to it over the web may use both. */
const webPorts: ReadonlySet<number> = new Set([80, 443]);

export function checkFirstBytes(first: FirstBytes, claim: Claim, lists: HostLists): Agreement {
  switch (first.kind) {
    case "tls":
      return checkServerName(first.serverName, claim);
    case "http":
      return checkRequest(first.head, claim, lists);
    case "http2":
      return checkUnread("HTTP/2 without TLS is not read", claim);
    case "malformed":
      return checkMalformed(first, first.protocol, claim);
    case "incomplete":
      if (first.text) return checkUnread("the protocol cannot be read", claim);
      return denyIfBound(claim, "the protocol cannot be read", "unmediatable-protocol");
    case "opaque":
      if (claim.mustName === null) return agree(claim.bestName);
      return checkUnread("neither TLS nor HTTP", claim);
    default:
      return first satisfies never;
  }
}

/** What a server could read in two ways passes nowhere that a name is demanded. */
export function checkMalformed(
  { reason, name }: Unreadable,
  protocol: "TLS" | "HTTP",
  claim: Claim,
): Agreement {
  if (name === null) {
    return denyIfBound(claim, `${protocol} cannot be read: ${reason}`, "unmediatable-protocol");
  }
  const denied = denyIfBound(claim, `${reason}: "${name}"`, "malformed-name");
  return claim.mustName === null ? denied : { ...denied, host: name };
}

/** Bytes that say nothing a gate could check: a rule that names the port trusts whatever answers there. */
function checkUnread(reason: string, claim: Claim): Agreement {
  if (!claim.anyProtocol) {
    return { ...denyIfBound(claim, reason, "unmediatable-protocol"), allowWith: withPort(claim) };
  }
  return { ...agree(claim.bestName), reason: `${reason}, and the port is listed` };
}

function checkServerName(name: string | null, claim: Claim): Agreement {
  if (name !== null) return checkName(name, claim, "TLS asks for");
  const resolved = claim.bestName !== "" && claim.mustName === null;
  if (claim.mustName !== null && claim.anyProtocol)
    return checkUnread("TLS names no server", claim);
  const denied = denyIfBound(
    claim,
    "TLS names no server",
    resolved ? undefined : "direct-ip-no-sni",
  );
  return { ...denied, allowWith: withPort(claim) };
}

/** One request of a connection; each of them is checked where names are demanded. */
export function checkRequest(head: RequestHead, claim: Claim, lists: HostLists): Agreement {
  const { host, target, method } = head;
  if (target === null) {
    if (host === null) {
      if (claim.mustName !== null && claim.anyProtocol) return agree(claim.bestName);
      const denied = denyIfBound(claim, "the request names no host", "direct-ip-no-sni");
      return { ...denied, allowWith: withPort(claim) };
    }
    if (parseAddress(host.host) === null) return checkName(host.host, claim, "HTTP asks for");
    const own = host.host === claim.address?.text;
    return denyIfBound(
      claim,
      `HTTP asks for ${host.host}`,
      own ? "direct-ip-no-sni" : "name-destination-mismatch",
    );
  }
  // The destination is a proxy: what counts is where the proxy is asked to go.
  const asked = `${askedOfProxy} "${target.host}"`;
  if (host !== null && host.host !== target.host) {
    return denyIfBound(claim, `${asked}, HTTP for "${host.host}"`, "name-destination-mismatch");
  }
  if (claim.mustName !== null && !reachable(target, claim, lists)) {
    const signal = method === "CONNECT" ? "unmediatable-protocol" : "denied";
    const reason = `${asked}, which is not listed`;
    return { agreed: false, host: target.host, reason, signal, allowWith: entryFor(target) };
  }
  return { ...agree(target.host), reason: asked };
}

function reachable(target: Authority, claim: Claim, lists: HostLists): boolean {
  const port = target.port ?? 80;
  const address = parseAddress(target.host);
  if (address === null) {
    if (!claim.strict) return lists.name(target.host, port) || !isOfProxy(target.host);
    if (isResolverName(target.host)) return lists.exactly(target.host, port);
    return lists.name(target.host, port);
  }
  if (lists.address(address, port)) return true;
  return !claim.strict && classify(address, claim.own) === "public";
}

/** A proxy takes these names for itself. Those that end in a number, and so could be an address, are malformed. */
function isOfProxy(name: string): boolean {
  return /(^|\.)localhost(\.localdomain)?$/.test(name);
}

/** What is demanded inside a tunnel that a proxy has opened: the same as of a connection straight to its target. */
export function claimOfTunnel(target: Authority, claim: Claim, lists: HostLists): Claim {
  const port = target.port ?? 443;
  const address = parseAddress(target.host);
  const { host } = target;
  return {
    ...claim,
    address,
    port,
    mustName: address === null ? [host] : null,
    anyProtocol: address === null && lists.namesPort(host, port),
    bestName: address === null ? host : "",
    gave: (name) => name === host,
  };
}

function checkName(name: string, claim: Claim, said: string): Agreement {
  const { mustName } = claim;
  const gave = claim.gave(name);
  const agrees = mustName === null ? gave : mustName.includes(name);
  if (agrees) {
    const doh = isResolverName(name) || isResolverAddress(claim.address?.text ?? "");
    return { ...agree(name), signal: doh ? "dns-over-https" : undefined };
  }
  const expected = mustName === null ? "" : `, wanted "${mustName.at(-1)}"`;
  const reason = `${said} "${name}"${expected}`;
  const signal = "name-destination-mismatch";
  return { agreed: mustName === null, host: name, reason, signal, allowWith: "" };
}

function agree(host: string): Agreement {
  return { agreed: true, host, reason: "", signal: undefined, allowWith: "" };
}

function denyIfBound(claim: Claim, reason: string, signal: EgressSignal | undefined): Agreement {
  const { bestName: host, mustName } = claim;
  return { agreed: mustName === null, host, reason, signal, allowWith: "" };
}

/** The entry that trusts the port with whatever protocol it speaks. */
function withPort({ mustName, port }: Claim): string {
  const name = mustName?.at(-1);
  return name === undefined ? "" : `${name}:${port}`;
}

function entryFor({ host, port }: Authority): string {
  const address = parseAddress(host);
  const text = address?.family === 6 ? `[${host}]` : host;
  if (port === null || (webPorts.has(port) && address === null)) return text;
  return `${text}:${port}`;
}
