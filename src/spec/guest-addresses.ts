import {
  addressNumber,
  addressText,
  type IpNetwork,
  isHostOf,
  networkOf,
  networkText,
  parseNetwork,
  sizeOf,
} from "./ip-network.ts";

/** The addresses of a guest's own small network, which ends in the host's egress. */
export interface GuestAddresses {
  readonly ipv4: GuestInterfaceAddress;
  readonly ipv6: GuestInterfaceAddress;
  /** What resolv.conf names; the host answers, whatever is asked. */
  readonly dns: readonly string[];
}

export interface GuestInterfaceAddress {
  /** `address/prefix`. */
  readonly address: string;
  readonly gateway: string;
}

/** What a spec may say of one family. */
export interface WrittenAddresses {
  readonly ip: string | null;
  readonly subnet: string | null;
  readonly gateway: string | null;
}

/** Which of the written addresses does not fit, and why. */
export interface AddressFault {
  readonly field: keyof WrittenAddresses;
  readonly sentence: string;
}

const defaults = {
  32: { network: parseNetwork("10.0.2.0/24"), around: 24, smallest: 30 },
  128: { network: parseNetwork("fd6d:6167:656e:7400::/64"), around: 64, smallest: 126 },
} as const;

/** The guest's address and gateway in one family; what is not written is chosen to fit. */
export function interfaceAddress(
  written: WrittenAddresses,
  bits: 32 | 128,
): GuestInterfaceAddress | AddressFault {
  const network = networkFor(written, bits);
  const kind = bits === 32 ? "IPv4" : "IPv6";
  if (network.bits !== bits) {
    return { field: "subnet", sentence: `is no ${kind} network: wanted one` };
  }
  if (network.prefix > defaults[bits].smallest) {
    return {
      field: "subnet",
      sentence: `has no room for a guest and a gateway: wanted /${defaults[bits].smallest} or larger`,
    };
  }
  for (const field of ["ip", "gateway"] as const) {
    const address = written[field];
    if (address === null || isHostOf(network, address)) continue;
    return {
      field,
      sentence: `is no host address of ${networkText(network)}: wanted one in that network`,
    };
  }
  const taken = [written.ip, written.gateway].filter((address) => address !== null);
  const free = (offset: bigint) => freeAddress(network, offset, taken.map(addressNumber));
  const gateway = written.gateway ?? free(2n);
  taken.push(gateway);
  const ip = written.ip ?? free(bits === 32 ? 15n : 0x15n);
  if (addressNumber(ip) === addressNumber(gateway)) {
    return { field: "gateway", sentence: "is the guest's own address: wanted another" };
  }
  return { address: `${ip}/${network.prefix}`, gateway };
}

/** An address for the resolver that resolv.conf names: the usual one, or the gateway's. */
export function resolverAddress({ address, gateway }: GuestInterfaceAddress): string {
  const network = parseNetwork(address);
  const usual = addressText(network.base + 3n, network.bits);
  const taken = [address.split("/", 1)[0] ?? "", gateway];
  return isHostOf(network, usual) && !taken.includes(usual) ? usual : gateway;
}

function networkFor(written: WrittenAddresses, bits: 32 | 128): IpNetwork {
  if (written.subnet !== null) return parseNetwork(written.subnet);
  const known = written.ip ?? written.gateway;
  const usual = defaults[bits];
  return known === null || isHostOf(usual.network, known)
    ? usual.network
    : networkOf(known, usual.around);
}

/** The wished offset, or the first that is free. */
function freeAddress(network: IpNetwork, wished: bigint, taken: readonly bigint[]): string {
  const last = sizeOf(network) - 2n;
  for (const offset of [wished, 1n, 2n, 3n]) {
    const address = network.base + offset;
    if (offset <= last && !taken.includes(address)) return addressText(address, network.bits);
  }
  return addressText(network.base + last, network.bits);
}
