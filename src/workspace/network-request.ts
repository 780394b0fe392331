import type { GuestNetwork } from "../agent/guest-network.ts";
import { MicroagentError } from "../base/errors.ts";
import { type HostRule, parseHostRule } from "../egress/host-rule.ts";
import type { EgressPolicy } from "../egress/policy.ts";
import type { RunPlan } from "../spec/plan.ts";
import type { NetworkMode } from "../spec/schema/network-schema.ts";
import type { PortForward } from "./published-ports.ts";

/** What a guest's network is and where it may lead. */
export interface NetworkRequest {
  /** As it was asked for; all modes with a network are served alike. */
  readonly mode: NetworkMode;
  readonly guest: GuestNetwork;
  readonly policy: EgressPolicy;
  readonly forwards: readonly PortForward[];
  readonly swap: SwapRequest;
}

/** Credentials that only this host puts into requests. */
export interface SwapRequest {
  /** `PROVIDER=reference`. */
  readonly providers: readonly string[];
  /** Absolute path of a swap configuration. */
  readonly configFile: string | null;
  /** Absolute paths of PEM files with roots for upstreams. */
  readonly caFiles: readonly string[];
}

/** The most a virtio channel carries in one of its frames together with the packet's head. */
const mtu = 65_520;

/** The network of a plan; null for `isolated`, which has none. */
export function networkRequestOf(plan: RunPlan): NetworkRequest | null {
  const { network, egress } = plan;
  if (network.mode === "isolated") return null;
  const { ipv4, ipv6, dns } = network.addresses;
  const off = egress.mode === "off";
  return {
    mode: network.mode,
    guest: { interface: "eth0", mtu, ipv4, ipv6, dns },
    policy: {
      mode: egress.mode,
      allow: egress.allow.map(hostRule),
      passthrough: egress.passthrough.map(hostRule),
      caps: egress.caps,
      hostMap: new Map(egress.standIns.map(({ name, address, port }) => [name, { address, port }])),
      resolvers: network.dns.length === 0 ? null : network.dns,
    },
    forwards: network.forwards,
    swap: {
      // Under "off" nothing is looked at, so nothing can be put in.
      providers: off ? [] : egress.credSwap,
      configFile: off ? null : egress.swapConfigFile,
      caFiles: off ? [] : egress.caFiles,
    },
  };
}

function hostRule(text: string): HostRule {
  const rule = parseHostRule(text);
  if (typeof rule !== "string") return rule;
  throw new MicroagentError("invalid_argument", rule);
}
