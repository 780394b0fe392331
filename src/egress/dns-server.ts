import type { Op } from "../base/op.ts";
import { parseAddress } from "./address.ts";
import { classify } from "./address-class.ts";
import type { AuditEvent, EgressSignal } from "./audit-event.ts";
import { decideName } from "./decision.ts";
import { DnsCache } from "./dns-cache.ts";
import {
  type DnsCode,
  type DnsQuery,
  type DnsRecord,
  dnsCode,
  dnsMessageBytesMax,
  dnsType,
  readDnsQuery,
  writeDnsAnswer,
} from "./dns-message.ts";
import { addressRecord } from "./dns-records.ts";
import type { Gate } from "./gate.ts";
import type { Resolution } from "./resolver.ts";
import { isReverseName, reversedAddress } from "./reverse-name.ts";
import { wireName } from "./wire-name.ts";

const internetClass = 1;
/** Transfers of zones and "everything": no program needs them of a resolver. */
const refusedTypes: ReadonlySet<number> = new Set([251, 252, 255]);
const mappedTtl = 60;
/** Questions of one guest on their way to the resolver. */
const underwayMax = 128;
/** A question the resolver does not answer is given up. */
const resolveMs = 8_000;

/** How a question came. */
export interface Asked {
  /** The resolver the guest thinks it asks. */
  readonly server: string;
  readonly transport: "udp" | "tcp";
}

interface Answer {
  readonly code: DnsCode;
  readonly records: readonly DnsRecord[];
}

const empty: Answer = { code: dnsCode.ok, records: [] };
const failed: Answer = { code: dnsCode.failed, records: [] };
const refused: Answer = { code: dnsCode.refused, records: [] };

/**
 * The only resolver a guest has. What a policy does not allow is refused and goes nowhere; addresses it
 * gives are noted, because later a connection is judged by them.
 */
export class DnsServer {
  readonly #gate: Gate;
  readonly #cache: DnsCache;

  constructor(gate: Gate) {
    this.#gate = gate;
    this.#cache = new DnsCache(gate.clock);
  }

  /** The answer to one message; null when it is nothing to answer. */
  async answer(op: Op, message: Uint8Array, asked: Asked): Promise<Buffer | null> {
    const query = readDnsQuery(message);
    if (query === null) return null;
    const bytesMax = asked.transport === "udp" ? query.udpBytes : dnsMessageBytesMax;
    const { code, records } = await this.#decide(op, query, asked);
    return writeDnsAnswer(query, code, records, bytesMax);
  }

  async #decide(op: Op, query: DnsQuery, asked: Asked): Promise<Answer> {
    if (query.opcode !== 0) return { code: dnsCode.notImplemented, records: [] };
    const { question } = query;
    if (question === null) return { code: dnsCode.malformed, records: [] };
    const { type } = question;
    const name = wireName(question.name);
    if (question.class !== internetClass || refusedTypes.has(type)) {
      this.#deny(question.name, type, "no such question is passed on", "resolver-denied", asked);
      return refused;
    }
    if (name === null) {
      this.#deny(question.name, type, "no host can be named so", "malformed-name", asked);
      return { code: dnsCode.noSuchName, records: [] };
    }
    const { mode, lists } = this.#gate;
    const own = this.#ownAnswer(name, type);
    if (own !== null) return own;
    const verdict = decideName(mode, lists, name);
    if (!verdict.allowed) {
      // Programs look for services of a host they may reach (apt does): nobody is asked, and nothing is denied.
      if (isServiceOf(name, (host) => lists.name(host, null))) return empty;
      this.#deny(name, type, verdict.reason, verdict.signal, asked);
      return refused;
    }
    if (mode !== "off" && this.#asksForInside(name)) {
      this.#deny(name, type, "names of inside addresses are not told", "resolver-denied", asked);
      return refused;
    }
    const base = { host: name, dst: typeName(type), unlisted: verdict.unlisted };
    const foreign = this.#isForeign(asked) ? { signal: "foreign-resolver" as const } : {};
    const resolution = await this.#resolve(op, name, type);
    if (resolution.kind === "failed") {
      const { reason } = resolution;
      this.#gate.report({ event: "egress_dns_reply_error", ...base, ...foreign, reason });
      return failed;
    }
    const reason = verdict.reason;
    this.#gate.report({ event: "egress_dns_allow", ...base, ...foreign, reason });
    if (resolution.kind === "no-name") return { code: dnsCode.noSuchName, records: [] };
    if (resolution.kind === "no-data") return empty;
    this.#note(name, resolution.records);
    return { code: dnsCode.ok, records: resolution.records };
  }

  /** Names of the guest itself are answered here, whatever the policy: null for every other. */
  #ownAnswer(name: string, type: number): Answer | null {
    if (name === this.#gate.guestName) return empty;
    if (!/(^|\.)localhost$/.test(name) && name !== "localhost.localdomain") return null;
    const text = type === dnsType.a ? "127.0.0.1" : type === dnsType.aaaa ? "::1" : null;
    const address = text === null ? null : parseAddress(text);
    if (address === null) return empty;
    return { code: dnsCode.ok, records: [addressRecord(address, mappedTtl)] };
  }

  async #resolve(op: Op, name: string, type: number): Promise<Resolution> {
    const { mode, standIns, hosts, resolver, ipv6 } = this.#gate;
    // Without these records nobody learns keys for an encrypted hello, nor of HTTP/3.
    const hidesName = type === dnsType.svcb || type === dnsType.https;
    if (hidesName && mode !== "off") return { kind: "no-data" };
    const standIn = standIns.byName(name);
    if (standIn !== undefined) {
      if (type !== dnsType.a) return { kind: "no-data" };
      return { kind: "records", records: [addressRecord(standIn.given, mappedTtl)] };
    }
    const family = type === dnsType.a ? 4 : type === dnsType.aaaa ? 6 : null;
    const local = family === null ? [] : await hosts.addressesOf(name);
    if (local.length > 0) {
      const records = local
        .filter((address) => address.family === family)
        .map((address) => addressRecord(address, mappedTtl));
      return records.length === 0 ? { kind: "no-data" } : { kind: "records", records };
    }
    // An address nobody can reach costs every program a wait before it takes the other one.
    if (type === dnsType.aaaa && !(await ipv6.exists)) return { kind: "no-data" };
    if (this.#cache.underway >= underwayMax) {
      return { kind: "failed", reason: `more than ${underwayMax} questions at once` };
    }
    return await this.#cache.get(`${type} ${name}`, () => this.#ask(op, resolver, name, type));
  }

  async #ask(op: Op, resolver: Gate["resolver"], name: string, type: number): Promise<Resolution> {
    try {
      return await op.step("resolve", (inner) => resolver.resolve(inner, name, type), {
        timeoutMs: resolveMs,
      });
    } catch {
      op.check();
      return { kind: "failed", reason: `the resolver did not answer within ${resolveMs} ms` };
    }
  }

  #note(name: string, records: readonly DnsRecord[]): void {
    const addresses = records.filter(({ type }) => type === dnsType.a || type === dnsType.aaaa);
    if (addresses.length === 0) return;
    const ttl = Math.max(...addresses.map((record) => record.ttl));
    this.#gate.noteAddresses(
      name,
      addresses.map(({ data }) => data),
      ttl,
    );
  }

  #asksForInside(name: string): boolean {
    if (!isReverseName(name)) return false;
    const address = reversedAddress(name);
    // Parts of addresses are zones: their contents are nobody's business either.
    return address === null || classify(address, this.#gate.ownAddresses) !== "public";
  }

  #isForeign({ server }: Asked): boolean {
    return !this.#gate.resolverAddresses.has(parseAddress(server)?.text ?? server);
  }

  #deny(name: string, type: number, reason: string, signal: EgressSignal, asked: Asked): void {
    const event: AuditEvent = {
      event: "egress_dns_deny",
      host: name,
      dst: typeName(type),
      reason: this.#isForeign(asked) ? `${reason}, asked of ${asked.server}` : reason,
      unlisted: true,
      signal,
    };
    this.#gate.report(event);
  }
}

/** `_http._tcp.mirror.example`, where the predicate holds for the host below the labels of the service. */
function isServiceOf(name: string, listed: (host: string) => boolean): boolean {
  const host = /^(?:_[^.]+\.)+([^_].*)$/.exec(name)?.[1];
  return host !== undefined && listed(host);
}

const typeNames: ReadonlyMap<number, string> = new Map(
  Object.entries(dnsType).map(([name, type]) => [type, name.toUpperCase()]),
);

function typeName(type: number): string {
  return typeNames.get(type) ?? `TYPE${type}`;
}
