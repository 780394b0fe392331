import { limits } from "../base/limits.ts";
import { allowableBy } from "./allowable.ts";
import type { AuditEventName, AuditRecord } from "./audit-event.ts";

/** What a run's decisions come to; the shape is part of the dispatch result. */
export interface AuditSummary {
  /** Decisions, notices of other kinds not counted. */
  readonly decision_count: number;
  readonly by_event: Readonly<Record<string, number>>;
  /** Flows allowed, by name, by address where no name is known. */
  readonly allow_by_host: Readonly<Record<string, number>>;
  readonly deny_by_host: Readonly<Record<string, number>>;
  /** Why a host was denied the first time where a list has it, and the entry that would allow it. Left out where none was. */
  readonly deny_reasons?: Readonly<Record<string, string>>;
  /** Entries of an allow list that would let through what was denied, sorted: `host`, `host:port`. At most 1,000. */
  readonly allowable: readonly string[];
  /** What model providers whose credentials are swapped counted; left out where none did. */
  readonly usage_by_model?: Readonly<Record<string, TokenCounts>>;
}

export interface TokenCounts {
  /** Answers that said something of tokens. */
  readonly answers: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
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
/** Of an answer that does not say which model gave it. */
const noModel = "(unknown)";

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
  readonly #reasons = new Map<string, string>();
  readonly #allowable = new Set<string>();
  /** Those that say more than a name alone would: their port. */
  readonly #withPort = new Set<string>();
  readonly #usage = new Map<string, TokenCounts>();
  #decisions = 0;

  add(record: AuditRecord): void {
    const { event } = record;
    this.#byEvent.set(event, (this.#byEvent.get(event) ?? 0) + 1);
    if (event === "egress_usage") this.#addUsage(record);
    if (!allowed.has(event) && !denied.has(event)) return;
    this.#decisions += 1;
    const entry = allowableBy(record);
    if (entry !== null && this.#allowable.size < hostsMax) {
      this.#allowable.add(entry);
      const isProtocol = record.allow_with !== undefined && record.signal !== "denied";
      if (isProtocol) this.#withPort.add(entry);
    }
    const table = allowed.has(event) ? this.#allows : this.#denies;
    // A lookup alone reached nobody; a client that is refused QUIC takes TCP.
    if (event === "egress_dns_allow" || record.signal === "quic-udp443") return;
    const host = record.host === "" ? record.dst : record.host;
    const key = table.has(host) || table.size < hostsMax ? host : otherHosts;
    table.set(key, (table.get(key) ?? 0) + (record.count ?? 1));
    const isReason = record.allow_with !== undefined && table === this.#denies;
    if (isReason && key !== otherHosts && !this.#reasons.has(key)) {
      this.#reasons.set(key, entry === null ? record.reason : `${record.reason}: list ${entry}`);
    }
  }

  get summary(): AuditSummary {
    return {
      decision_count: this.#decisions,
      by_event: Object.fromEntries(this.#byEvent),
      allow_by_host: Object.fromEntries(this.#allows),
      deny_by_host: Object.fromEntries(this.#denies),
      ...(this.#reasons.size === 0 ? {} : { deny_reasons: Object.fromEntries(this.#reasons) }),
      allowable: [...this.#allowable].filter((entry) => !this.#isCovered(entry)).sort(),
      ...(this.#usage.size === 0 ? {} : { usage_by_model: Object.fromEntries(this.#usage) }),
    };
  }

  /** A host without a port is all of its ports, for what can be read. */
  #isCovered(entry: string): boolean {
    if (this.#withPort.has(entry)) return false;
    const whole = entry.replace(/:\d+$/, "");
    return whole !== entry && this.#allowable.has(whole);
  }

  #addUsage({ model = "", input_tokens: input = 0, output_tokens: output = 0 }: AuditRecord): void {
    const name = model === "" ? noModel : model;
    const isNamed = this.#usage.has(name) || this.#usage.size < limits.usage.modelsMax;
    const key = isNamed ? name : otherHosts;
    const before = this.#usage.get(key) ?? { answers: 0, input_tokens: 0, output_tokens: 0 };
    this.#usage.set(key, {
      answers: before.answers + 1,
      input_tokens: before.input_tokens + input,
      output_tokens: before.output_tokens + output,
    });
  }
}
