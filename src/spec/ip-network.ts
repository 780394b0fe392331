import { isIpv4, isIpv6 } from "./schema/network-checks.ts";

/** An IP network in numbers. */
export interface IpNetwork {
  readonly bits: 32 | 128;
  /** First address. */
  readonly base: bigint;
  readonly prefix: number;
}

/** A valid address as a number. */
export function addressNumber(address: string): bigint {
  if (isIpv4(address)) {
    return address.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  }
  const [head = "", tail] = canonicalIpv6(address).split("::");
  const words = (text: string) => (text === "" ? [] : text.split(":"));
  const left = words(head);
  const right = words(tail ?? "");
  const middle = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...middle, ...right].reduce(
    (sum, word) => sum * 65_536n + BigInt(`0x${word}`),
    0n,
  );
}

/** An address as text, IPv6 in its shortest form. */
export function addressText(number: bigint, bits: 32 | 128): string {
  const size = bits === 32 ? 8n : 16n;
  const parts = Array.from({ length: bits / Number(size) }, (_, index) =>
    ((number >> (BigInt(bits) - size * BigInt(index + 1))) & ((1n << size) - 1n)).toString(
      bits === 32 ? 10 : 16,
    ),
  );
  return bits === 32 ? parts.join(".") : canonicalIpv6(parts.join(":"));
}

/** A valid `address/prefix` with the host bits cleared. */
export function parseNetwork(cidr: string): IpNetwork {
  const [address = "", prefix = ""] = cidr.split("/");
  return networkOf(address, Number(prefix));
}

/** The network of an address. */
export function networkOf(address: string, prefix: number): IpNetwork {
  const bits = isIpv6(address) ? 128 : 32;
  const hostBits = BigInt(bits - prefix);
  return { bits, base: (addressNumber(address) >> hostBits) << hostBits, prefix };
}

/** True when the network has the address, and it is neither its first nor its last. */
export function isHostOf(network: IpNetwork, address: string): boolean {
  if (isIpv6(address) !== (network.bits === 128)) return false;
  const offset = addressNumber(address) - network.base;
  return offset > 0n && offset < sizeOf(network) - 1n;
}

/** How many addresses the network has. */
export function sizeOf(network: IpNetwork): bigint {
  return 1n << BigInt(network.bits - network.prefix);
}

/** `10.0.2.0/24`. */
export function networkText(network: IpNetwork): string {
  return `${addressText(network.base, network.bits)}/${network.prefix}`;
}

function canonicalIpv6(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}
