import { Resolver } from "node:dns";
import type { Op } from "../base/op.ts";
import { type Address, parseAddress } from "./address.ts";
import { type DnsRecord, dnsType } from "./dns-message.ts";
import {
  addressRecord,
  authorityRecord,
  nameRecord,
  policyRecord,
  type StartOfAuthority,
  textRecord,
} from "./dns-records.ts";

/** What a resolver says: records, a name that has none of the type, or no such name. */
export type Resolution =
  | { readonly kind: "records"; readonly records: readonly DnsRecord[] }
  | { readonly kind: "no-data" }
  | { readonly kind: "no-name" }
  | { readonly kind: "failed"; readonly reason: string };

/** Asks for records of one type of a name. Types it does not know have no data. */
export interface NameResolver {
  resolve(op: Op, name: string, type: number): Promise<Resolution>;
  close(): void;
}

const recordsMax = 64;
/** For types whose time to live the system's interface does not tell. */
const unknownTtl = 60;

/** The resolvers of the system, or those named, over UDP and TCP as needed. */
export function systemResolver(servers: readonly string[] | null): NameResolver {
  const resolver = new Resolver({ timeout: 2_000, tries: 3 });
  if (servers !== null) resolver.setServers(servers);
  return {
    resolve: async (op, name, type) => {
      try {
        const records = await op.race(lookUp(resolver, name, type));
        if (records === null || records.length === 0) return { kind: "no-data" };
        return { kind: "records", records: records.slice(0, recordsMax) };
      } catch (error) {
        op.check();
        return failureOf(error);
      }
    },
    close: () => resolver.cancel(),
  };
}

function failureOf(error: unknown): Resolution {
  const code = (error as NodeJS.ErrnoException).code ?? "unknown";
  if (code === "ENOTFOUND") return { kind: "no-name" };
  if (code === "ENODATA") return { kind: "no-data" };
  return { kind: "failed", reason: `the resolver failed (${code})` };
}

/** Null: a type that is not passed on. */
async function lookUp(resolver: Resolver, name: string, type: number): Promise<DnsRecord[] | null> {
  const ask = <T>(run: (done: (error: Error | null, value: T) => void) => void): Promise<T> =>
    new Promise((resolve, reject) => {
      run((error, value) => (error === null ? resolve(value) : reject(error)));
    });
  const present = (records: readonly (DnsRecord | null)[]): DnsRecord[] =>
    records.filter((record) => record !== null);
  switch (type) {
    case dnsType.a:
    case dnsType.aaaa: {
      const found = await ask<readonly { address: string; ttl: number }[]>((done) =>
        type === dnsType.a
          ? resolver.resolve4(name, { ttl: true }, done)
          : resolver.resolve6(name, { ttl: true }, done),
      );
      return present(found.map(({ address, ttl }) => recordOf(parseAddress(address), ttl)));
    }
    case dnsType.cname:
    case dnsType.ns:
    case dnsType.ptr: {
      const found = await ask<string[]>((done) => {
        if (type === dnsType.cname) resolver.resolveCname(name, done);
        else if (type === dnsType.ns) resolver.resolveNs(name, done);
        else resolver.resolvePtr(name, done);
      });
      return present(found.map((value) => nameRecord(type, [], value, unknownTtl)));
    }
    case dnsType.mx: {
      const found = await ask<{ priority: number; exchange: string }[]>((done) =>
        resolver.resolveMx(name, done),
      );
      return present(
        found.map(({ priority, exchange }) => nameRecord(type, [priority], exchange, unknownTtl)),
      );
    }
    case dnsType.srv: {
      const found = await ask<{ priority: number; weight: number; port: number; name: string }[]>(
        (done) => resolver.resolveSrv(name, done),
      );
      return present(
        found.map((srv) =>
          nameRecord(type, [srv.priority, srv.weight, srv.port], srv.name, unknownTtl),
        ),
      );
    }
    case dnsType.txt: {
      const found = await ask<string[][]>((done) => resolver.resolveTxt(name, done));
      return present(found.map((texts) => textRecord(texts, unknownTtl)));
    }
    case dnsType.soa: {
      const found = await ask<StartOfAuthority>((done) => resolver.resolveSoa(name, done));
      return present([authorityRecord(found, unknownTtl)]);
    }
    case dnsType.caa: {
      const found = await ask<Record<string, unknown>[]>((done) =>
        resolver.resolveCaa(name, (error, records) =>
          done(error, records as unknown as Record<string, unknown>[]),
        ),
      );
      return found.map(policyOf);
    }
    default:
      return null;
  }
}

function recordOf(address: Address | null, ttl: number): DnsRecord | null {
  return address === null ? null : addressRecord(address, ttl);
}

/** The interface gives `critical` and one more key, the property's tag. */
function policyOf({ critical, ...properties }: Record<string, unknown>): DnsRecord {
  const [tag, value] = Object.entries(properties)[0] ?? ["", ""];
  return policyRecord(Number(critical ?? 0), tag, String(value), unknownTtl);
}
