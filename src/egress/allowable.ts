import { parseAddress } from "./address.ts";
import { type AddressClass, classify } from "./address-class.ts";
import type { AuditEventName, AuditRecord, EgressSignal } from "./audit-event.ts";
import { parseHostRule } from "./host-rule.ts";
import { isReverseName } from "./reverse-name.ts";

/** Refusals that a list of hosts decides about. */
const listable: ReadonlySet<AuditEventName> = new Set([
  "egress_deny",
  "egress_internal_deny",
  "egress_dns_deny",
  "egress_udp_deny",
  "egress_udp_internal_deny",
]);
/** Of those, reasons that a list would change. */
const changeable: ReadonlySet<EgressSignal> = new Set([
  "denied",
  "direct-ip-no-sni",
  "resolver-denied",
  "dns-over-https",
]);
/** Nobody means loopback or a metadata service by accident, and no name can stand for one. */
const meant: ReadonlySet<AddressClass> = new Set(["public", "private", "shared"]);
/** A host is listed without these: who may speak to it over the web may use both. */
const webPorts: ReadonlySet<number> = new Set([80, 443]);
const noOwn: ReadonlySet<string> = new Set();

/**
 * The entry of an allow list that would let through what this line denied: a name, with its port where that is not the
 * web's, or an address with its port. Null where no entry would.
 */
export function allowableBy(record: AuditRecord): string | null {
  const { event, signal, host, dst, allow_with: said } = record;
  if (!listable.has(event) || said === "") return null;
  if (said === undefined && (signal === undefined || !changeable.has(signal))) return null;
  const entry = said ?? (event === "egress_dns_deny" ? host : entryOf(host, dst));
  if (entry === null || isReverseName(entry)) return null;
  const rule = parseHostRule(entry);
  if (typeof rule === "string") return null;
  return rule.address === null || meant.has(classify(rule.address, noOwn)) ? entry : null;
}

function entryOf(host: string, dst: string): string | null {
  const [, bracketed, plain = "", digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(dst) ?? [];
  const address = parseAddress(bracketed ?? plain);
  if (address === null || !meant.has(classify(address, noOwn))) return null;
  if (host === "" || parseAddress(host) !== null) return dst;
  return webPorts.has(Number(digits)) ? host : `${host}:${digits}`;
}
