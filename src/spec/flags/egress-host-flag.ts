import { asciiName, isHostPort, isIpv4, isIpv6 } from "../schema/network-checks.ts";
import { flagError } from "./flag-error.ts";

/** A name that egress answers with a stand-in, whatever the resolver says. */
export interface StandIn {
  /** ASCII form, lower case, without a trailing dot. */
  readonly name: string;
  /** IP address, without brackets. */
  readonly address: string;
  /** Null keeps the port the guest asked for. */
  readonly port: number | null;
}

/** `NAME=ADDRESS[:PORT]` of `--egress-host`; an IPv6 address with a port stands in brackets. */
export function parseEgressHostFlag(text: string): StandIn {
  const wanted = "NAME=ADDRESS[:PORT] such as api.example.com=127.0.0.1:8443";
  const at = text.indexOf("=");
  if (at < 0) throw flagError("--egress-host", text, wanted, { fault: { why: 'has no "="' } });
  const name = asciiName(text.slice(0, at)).toLowerCase().replace(/\.$/, "");
  const place = text.slice(at + 1);
  if (isHostPort(`${name}:1`) !== null || isIpv4(name)) {
    throw flagError("--egress-host", text, wanted, { fault: { why: "has no host name" } });
  }
  if (isIpv4(place) || isIpv6(place)) return { name, address: place, port: null };
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(place);
  const address = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3]);
  if (!(isIpv4(address) || isIpv6(address))) {
    throw flagError("--egress-host", text, wanted, { fault: { why: "has no IP address" } });
  }
  if (!(port >= 1 && port <= 65535)) {
    throw flagError("--egress-host", text, wanted, {
      fault: { why: "has a port outside 1 to 65535" },
    });
  }
  return { name, address, port };
}
