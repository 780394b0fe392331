import type { HostRule } from "./host-rule.ts";

export type EgressMode = "guarded" | "strict" | "off";

/** A name that stands for an address of ours: a stand-in for a service, in tests. */
export interface MappedHost {
  readonly address: string;
  /** Where connections to the name go; null: the port that was asked for. */
  readonly port: number | null;
}

export interface EgressCaps {
  /** Both directions together; null: no bound. */
  readonly bytesPerSecond: number | null;
  readonly totalBytes: number;
  /** TCP connections and UDP flows at once. */
  readonly connections: number;
}

/** What a guest may reach. Plain data; the lists hold already parsed rules. */
export interface EgressPolicy {
  readonly mode: EgressMode;
  readonly allow: readonly HostRule[];
  /** Allowed, and TLS of these is never intercepted. */
  readonly passthrough: readonly HostRule[];
  readonly caps: EgressCaps;
  /** By canonical name. An entry allows its address for that name only. */
  readonly hostMap: ReadonlyMap<string, MappedHost>;
  /** Resolvers to ask, `address` or `address:port`; null: those of the system. */
  readonly resolvers: readonly string[] | null;
}

const GiB = 1024 ** 3;

export const defaultEgressCaps: EgressCaps = {
  bytesPerSecond: null,
  totalBytes: 50 * GiB,
  connections: 256,
};
