import type { AuditEventName, AuditRecord } from "./audit-event.ts";

/** What a run's decisions come to; the shape is part of the dispatch result. */
export interface AuditSummary {
  /** Decisions, notices of other kinds not counted. */
  readonly decision_count: number;
  readonly by_event: Readonly<Record<string, number>>;
  /** Flows allowed, by name, by address where no name is known. */
  readonly allow_by_host: Readonly<Record<string, number>>;
  readonly deny_by_host: Readonly<Record<string, number>>;
}

const allowed: ReadonlySet<AuditEventName> = new Set([
  "egress_allow",
  "egress_udp_allow",
  "egress_dns_allow",
]);
const denied: ReadonlySet<AuditEventName> = new Set([
  "egress_deny",
  "egress_internal_deny",
  "egress_dns_deny",
  "egress_udp_deny",
  "egress_udp_internal_deny",
  "egress_loop_guard",
  "egress_cap_exceeded",
]);
/** Hosts named one by one; a guest can make up any number, the rest is counted together. */
const hostsMax = 1_000;
export const otherHosts = "(others)";

/** Counts decisions. Looking a name up and connecting to it are two. */
export function summarizeAudit(events: Iterable<AuditRecord>): AuditSummary {
  const counter = new AuditCounter();
  for (const record of events) counter.add(record);
  return counter.summary;
}

/** The same for records that come one by one. */
export class AuditCounter {
  readonly #byEvent = new Map<string, number>();
  readonly #allows = new Map<string, number>();
  readonly #denies = new Map<string, number>();
  #decisions = 0;

  add(record: AuditRecord): void {
    const { event } = record;
    this.#byEvent.set(event, (this.#byEvent.get(event) ?? 0) + 1);
    if (!allowed.has(event) && !denied.has(event)) return;
    this.#decisions += 1;
    const table = allowed.has(event) ? this.#allows : this.#denies;
    // A lookup alone reached nobody.
    if (event === "egress_dns_allow") return;
    const host = record.host === "" ? record.dst : record.host;
    const key = table.has(host) || table.size < hostsMax ? host : otherHosts;
    table.set(key, (table.get(key) ?? 0) + (record.count ?? 1));
  }

  get summary(): AuditSummary {
    return {
      decision_count: this.#decisions,
      by_event: Object.fromEntries(this.#byEvent),
      allow_by_host: Object.fromEntries(this.#allows),
      deny_by_host: Object.fromEntries(this.#denies),
    };
  }
}
