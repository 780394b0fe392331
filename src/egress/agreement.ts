import { type Address, parseAddress } from "./address.ts";
import { classify } from "./address-class.ts";
import type { EgressSignal } from "./audit-event.ts";
import type { FirstBytes } from "./first-bytes.ts";
import type { HostLists } from "./host-lists.ts";
import type { Authority, RequestHead } from "./http-head.ts";
import { isResolverAddress, isResolverName } from "./known-resolvers.ts";

/** Whether what a connection says about itself fits where it goes. */
export interface Agreement {
  readonly agreed: boolean;
  /** The name it is for, "" when none is known. */
  readonly host: string;
  readonly reason: string;
  readonly signal: EgressSignal | undefined;
}

export interface Claim {
  readonly address: Address;
  readonly port: number;
  /** Names of which it must say one; null: nothing is demanded, only noted. */
  readonly mustName: readonly string[] | null;
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

/** Ports on which a server takes whatever comes for TLS or HTTP. */
const webPorts: ReadonlySet<number> = new Set([80, 443]);

export function checkFirstBytes(first: FirstBytes, claim: Claim, lists: HostLists): Agreement {
  switch (first.kind) {
    case "tls":
      return checkServerName(first.serverName, claim);
    case "http":
      return checkRequest(first.head, claim, lists);
    case "incomplete":
    case "malformed":
      return denyIfBound(claim, "the protocol cannot be read", "unmediatable-protocol");
    case "opaque":
      if (webPorts.has(claim.port)) {
        return denyIfBound(claim, "neither TLS nor HTTP", "unmediatable-protocol");
      }
      return { agreed: true, host: claim.bestName, reason: "", signal: undefined };
    default:
      return first satisfies never;
  }
}

function checkServerName(name: string | null, claim: Claim): Agreement {
  if (name === null) {
    const resolved = claim.bestName !== "" && claim.mustName === null;
    const signal = resolved ? undefined : "direct-ip-no-sni";
    return denyIfBound(claim, "TLS names no server", signal);
  }
  return checkName(name, claim, "TLS asks for");
}

/** One request of a connection; each of them is checked where names are demanded. */
export function checkRequest(head: RequestHead, claim: Claim, lists: HostLists): Agreement {
  const { host, target, method } = head;
  if (target === null) {
    if (host === null) return denyIfBound(claim, "the request names no host", "direct-ip-no-sni");
    if (parseAddress(host.host) === null) return checkName(host.host, claim, "HTTP asks for");
    const own = host.host === claim.address.text;
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
  if (claim.mustName !== null && !reachable(target, method, claim, lists)) {
    const signal = method === "CONNECT" ? "unmediatable-protocol" : "denied";
    return { agreed: false, host: target.host, reason: `${asked}, which is not listed`, signal };
  }
  return { agreed: true, host: target.host, reason: asked, signal: undefined };
}

function reachable(target: Authority, method: string, claim: Claim, lists: HostLists): boolean {
  const port = target.port ?? (method === "CONNECT" ? 443 : 80);
  const address = parseAddress(target.host);
  if (address === null) return !claim.strict || lists.name(target.host, port);
  if (lists.address(address, port)) return true;
  return !claim.strict && classify(address, claim.own) === "public";
}

function checkName(name: string, claim: Claim, said: string): Agreement {
  const { mustName } = claim;
  const gave = claim.gave(name);
  const agrees = mustName === null ? gave : mustName.includes(name);
  if (agrees) {
    const doh = isResolverName(name) || isResolverAddress(claim.address.text);
    return { agreed: true, host: name, reason: "", signal: doh ? "dns-over-https" : undefined };
  }
  const wanted = mustName === null ? "" : `, wanted "${mustName.at(-1)}"`;
  const reason = `${said} "${name}"${wanted}`;
  return { agreed: mustName === null, host: name, reason, signal: "name-destination-mismatch" };
}

function denyIfBound(claim: Claim, reason: string, signal: EgressSignal | undefined): Agreement {
  return { agreed: claim.mustName === null, host: claim.bestName, reason, signal };
}
