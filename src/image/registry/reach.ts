import { BlockList, isIP } from "node:net";
import { mayBePlain } from "./endpoint.ts";

/** Addresses that belong to the host itself or to its cloud, and never to a registry elsewhere. */
const inside = new BlockList();
inside.addSubnet("0.0.0.0", 8, "ipv4");
inside.addSubnet("127.0.0.0", 8, "ipv4");
inside.addSubnet("169.254.0.0", 16, "ipv4");
inside.addAddress("168.63.129.16", "ipv4");
inside.addAddress("::", "ipv6");
inside.addAddress("::1", "ipv6");
inside.addSubnet("fe80::", 10, "ipv6");
inside.addAddress("fd00:ec2::254", "ipv6");
// The same IPv4 addresses behind a NAT64 prefix.
inside.addSubnet("64:ff9b::", 104, "ipv6");
inside.addSubnet("64:ff9b::7f00:0", 104, "ipv6");
inside.addSubnet("64:ff9b::a9fe:0", 112, "ipv6");

/**
 * Where a registry may send its client, by a redirect or as its token server. A registry is a stranger, and it must not
 * turn this host's client on the host's own services.
 */
export class Reach {
  readonly #isLocal: boolean;
  readonly #plainAllowed: boolean;
  readonly #insecure: readonly string[];

  /** `registry` as `host[:port]`; `insecureRegistries` as the user lists them. */
  constructor(registry: string, insecureRegistries: readonly string[]) {
    this.#isLocal = isInside(new URL(`http://${registry}`).hostname);
    this.#plainAllowed = mayBePlain(registry, insecureRegistries);
    this.#insecure = insecureRegistries;
  }

  /** Why an address must not be asked, as the end of a sentence that begins with the address; null when it may. */
  refusal(url: URL): string | null {
    if (url.protocol !== "https:" && url.protocol !== "http:") return "which is not HTTP";
    if (url.username !== "" || url.password !== "") return "which carries credentials of its own";
    if (isInside(url.hostname) && !this.#isLocal) return "which is an address of this host";
    if (url.protocol === "https:") return null;
    const plain = this.#plainAllowed && mayBePlain(url.host, this.#insecure);
    return plain ? null : "which has no TLS";
  }
}

/** Whether a URL's host is this host or its link, by its text: a name that resolves there still has to prove itself by TLS. */
function isInside(hostname: string): boolean {
  const name = hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  const family = isIP(name);
  return family !== 0 && inside.check(name, family === 4 ? "ipv4" : "ipv6");
}
