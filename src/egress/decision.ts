import { type Address, endpointText } from "./address.ts";
import type { AddressClass } from "./address-class.ts";
import type { EgressSignal } from "./audit-event.ts";
import type { HostLists } from "./host-lists.ts";
import { isResolverAddress, isResolverName } from "./known-resolvers.ts";
import type { EgressMode } from "./policy.ts";

/** Where a flow wants to go, and what is known about it before a byte was said. */
export interface Destination {
  readonly address: Address;
  readonly port: number;
  readonly kind: AddressClass;
  /** Canonical names for which our resolver gave this guest the address, the latest last. */
  readonly names: readonly string[];
  /** The address stands for a mapped host: where it leads is the user's word. */
  readonly standIn: boolean;
}

export type Verdict =
  | {
      readonly allowed: true;
      readonly reason: string;
      readonly internal: boolean;
      readonly unlisted: boolean;
      /** Names of which the flow must say one; null: it may say anything. */
      readonly mustName: readonly string[] | null;
      /** A rule names the port of one of them: the flow may speak any protocol. */
      readonly anyProtocol: boolean;
    }
  | Denial;

export interface Denial {
  readonly allowed: false;
  readonly reason: string;
  readonly signal: EgressSignal;
  readonly internal: boolean;
  readonly unlisted: boolean;
  /** Only this host itself can be meant: not even an unfiltered guest goes there. */
  readonly loop: boolean;
  /** The entry of a list that would allow it, "" when none would; left out where the destination says it. */
  readonly allowWith?: string;
}

/** Places that a name can never stand for, whoever listed the name: a resolver that lies could say them. */
const addressOnly: ReadonlySet<AddressClass> = new Set([
  "unspecified",
  "loopback",
  "link-local",
  "metadata",
  "multicast",
]);

/** No network leads there; a flow that names it can only aim at this host. */
const nowhere: ReadonlySet<AddressClass> = new Set(["unspecified", "loopback", "multicast"]);

/** Whether a TCP connection or UDP flow may start; on the resolved address alone. */
export function decideFlow(mode: EgressMode, lists: HostLists, to: Destination): Verdict {
  const { address, port, kind, names, standIn } = to;
  const internal = kind !== "public" && !standIn;
  const byAddress = lists.address(address, port);
  const listedNames = names.filter((name) => lists.name(name, port));
  const unlisted = !byAddress && listedNames.length === 0;
  const allow = (reason: string, mustName: readonly string[] | null): Verdict => ({
    allowed: true,
    reason,
    internal,
    unlisted,
    mustName,
    anyProtocol: mustName?.some((name) => lists.namesPort(name, port)) ?? false,
  });
  const deny = (reason: string, signal: EgressSignal, loop = false): Denial => ({
    allowed: false,
    reason,
    signal,
    internal,
    unlisted,
    loop,
  });
  if (byAddress) return allow("the address is listed", null);
  if (internal && nowhere.has(kind)) {
    return deny(`${endpointText(address, port)} is ${described(kind)}`, "denied", true);
  }
  if (mode === "off") return allow("nothing is filtered", null);
  if (internal) {
    const byUser = names.filter((name) => lists.nameByUser(name, port));
    if (byUser.length > 0 && !addressOnly.has(kind)) return allow("the name is listed", byUser);
    return deny(`${endpointText(address, port)} is ${described(kind)}`, "denied");
  }
  const doh = isResolverAddress(address.text) || names.some(isResolverName);
  if (mode === "strict") {
    if (doh && !names.some((name) => lists.exactly(name, port))) {
      const signal = port === 443 ? "dns-over-https" : "foreign-resolver";
      return deny(`${endpointText(address, port)} is a public resolver`, signal);
    }
    if (listedNames.length > 0) return allow("the name is listed", listedNames);
    const named = names.at(-1);
    if (named !== undefined) {
      const verdict = deny(notListed(lists, named), "denied");
      // The address that stands for a mapped host says nothing about what a list could hold.
      const isListed = lists.portsOf(named).length > 0;
      return standIn || isListed ? { ...verdict, allowWith: allowEntry(named, port) } : verdict;
    }
    const text = endpointText(address, port);
    return deny(`${text} is not listed, nor an answer for a listed name`, "direct-ip-no-sni");
  }
  return allow(unlisted ? "public destinations are allowed" : "the name is listed", null);
}

/** Whether a name may be asked for. */
export function decideName(mode: EgressMode, lists: HostLists, name: string): Verdict {
  const unlisted = !lists.name(name, null);
  const base = { internal: false, unlisted };
  const allowed = (reason: string): Verdict => ({
    allowed: true,
    reason,
    mustName: null,
    anyProtocol: false,
    ...base,
  });
  if (mode !== "strict") {
    return allowed("names are resolved");
  }
  const deny = (reason: string, signal: EgressSignal): Verdict => ({
    allowed: false,
    reason,
    signal,
    loop: false,
    ...base,
  });
  if (unlisted) return deny("the name is not listed", "resolver-denied");
  if (isResolverName(name) && !lists.exactly(name, null)) {
    return deny("the name is a public resolver's", "dns-over-https");
  }
  return allowed("the name is listed");
}

/** A name without a port where that is the web's, as a list holds it. */
export function allowEntry(name: string, port: number): string {
  return port === 80 || port === 443 ? name : `${name}:${port}`;
}

function notListed(lists: HostLists, name: string): string {
  const ports = lists.portsOf(name);
  if (ports.length === 0) return `"${name}" is not listed`;
  return `"${name}" is listed for port ${ports.join(", ")} only`;
}

function described(kind: AddressClass): string {
  switch (kind) {
    case "own":
      return "an address of this host";
    case "loopback":
      return "a loopback address";
    case "link-local":
      return "a link-local address";
    case "metadata":
      return "a metadata service";
    case "private":
      return "a private address";
    case "shared":
      return "a shared (carrier) address";
    case "multicast":
      return "a multicast address";
    case "unspecified":
      return "no address of a machine";
    case "reserved":
      return "a reserved address";
    case "public":
      return "a public address";
    default:
      return kind satisfies never;
  }
}
