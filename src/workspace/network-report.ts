import type { EgressMode } from "../egress/policy.ts";
import type { NetworkMode } from "../spec/schema/network-schema.ts";
import type { OpenNetwork } from "./network.ts";
import type { PortForward } from "./published-ports.ts";

/** What a guest's network was, in the words of the spec file. */
export interface NetworkReport {
  readonly mode: NetworkMode;
  /** Null without a network. */
  readonly egress: EgressMode | null;
  /** With the host ports that were taken. */
  readonly forwards: readonly (PortForward & { readonly protocol: "tcp" })[];
}

/** The report of a network, null for a guest without one. */
export function networkReport(network: OpenNetwork | null): NetworkReport {
  if (network === null) return { mode: "isolated", egress: null, forwards: [] };
  const { mode, policy } = network.request;
  const forwards = network.forwards.map((forward) => ({ protocol: "tcp" as const, ...forward }));
  return { mode, egress: policy.mode, forwards };
}
