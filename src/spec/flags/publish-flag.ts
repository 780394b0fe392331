import type { Forward } from "../list-checks.ts";
import { isListenHost } from "../schema/network-checks.ts";
import { flagError } from "./flag-error.ts";

const wanted = "[host:]hostPort:guestPort[/tcp] such as 8080:80 or 127.0.0.1:8080:80";

/**
 * `[host:]hostPort:guestPort[/tcp]`; an IPv6 host stands in brackets. Host port 0 lets the host
 * choose a free one.
 */
export function parsePublishFlag(text: string): Forward {
  const match = /^(?:(\[[^\]]+\]|[^:[\]]+):)?(\d{1,5}):(\d{1,5})(?:\/([a-z]+))?$/.exec(text);
  if (match === null) throw flagError("--publish", text, wanted);
  const [, rawHost = "127.0.0.1", hostPort, guestPort, protocol = "tcp"] = match;
  const host = rawHost.replace(/^\[|\]$/g, "");
  if (protocol !== "tcp") {
    throw flagError("--publish", text, wanted, {
      fault: { why: "names a protocol other than tcp" },
    });
  }
  if (isListenHost(host) !== null) {
    throw flagError("--publish", text, wanted, {
      fault: { why: "has a host that is no IP address" },
    });
  }
  return {
    protocol,
    host,
    hostPort: port(text, hostPort, 0),
    guestPort: port(text, guestPort, 1),
  };
}

function port(text: string, digits: string | undefined, min: 0 | 1): number {
  const number = Number(digits);
  if (number >= min && number <= 65535) return number;
  const which = min === 0 ? "host port outside 0" : "guest port outside 1";
  throw flagError("--publish", text, wanted, { fault: { why: `has a ${which} to 65535` } });
}
