import type { Configuration } from "./configuration.ts";
import { encodeGuestNetwork } from "./guest-network.ts";

/** What makes another machine of one that was saved: the parts of a configuration that are its own. */
export type Renewal = Pick<
  Configuration,
  "timeUnixMs" | "entropy" | "hostname" | "hosts" | "network" | "services"
>;

export function encodeRenewal(renewal: Renewal): Record<string, unknown> {
  return {
    op: "resume",
    time_unix_ns: (BigInt(Math.round(renewal.timeUnixMs * 1000)) * 1000n).toString(),
    entropy: Buffer.from(renewal.entropy).toString("base64"),
    hostname: renewal.hostname,
    hosts: renewal.hosts,
    ...encodeGuestNetwork(renewal.network, renewal.services),
  };
}
