import { type Address, addressOf } from "./address.ts";

/** Where an address leads. Everything but `public` is inside. */
export type AddressClass =
  | "public"
  | "unspecified"
  | "loopback"
  | "link-local"
  | "metadata"
  | "private"
  | "shared"
  | "multicast"
  | "reserved"
  | "own";

type Range = readonly [bytes: readonly number[], bits: number, kind: AddressClass];

/** The IANA registries of special-purpose addresses, as far as they are not reachable everywhere. */
const ranges4: readonly Range[] = [
  // Host agents and metadata services of clouds at addresses of other ranges: Azure, Alibaba, Oracle.
  [[168, 63, 129, 16], 32, "metadata"],
  [[100, 100, 100, 200], 32, "metadata"],
  [[192, 0, 0, 192], 32, "metadata"],
  [[0], 8, "unspecified"],
  [[127], 8, "loopback"],
  [[10], 8, "private"],
  [[172, 16], 12, "private"],
  [[192, 168], 16, "private"],
  [[169, 254, 169, 254], 32, "metadata"],
  [[169, 254], 16, "link-local"],
  [[100, 64], 10, "shared"],
  [[192, 0, 0], 24, "reserved"],
  [[192, 0, 2], 24, "reserved"],
  [[198, 51, 100], 24, "reserved"],
  [[203, 0, 113], 24, "reserved"],
  [[198, 18], 15, "reserved"],
  [[192, 88, 99], 24, "reserved"],
  [[224], 4, "multicast"],
  [[240], 4, "reserved"],
];

/** Only 2000::/3 is handed out to the world; these are its exceptions and the names of the rest. */
const ranges6: readonly Range[] = [
  [new Array(16).fill(0), 128, "unspecified"],
  [[...new Array(15).fill(0), 1], 128, "loopback"],
  [[0xfe, 0x80], 10, "link-local"],
  // Amazon's services of a machine (metadata, time, credentials of a pod), then those of Google, Oracle and Scaleway.
  [[0xfd, 0x00, 0x0e, 0xc2], 32, "metadata"],
  [[0xfd, 0x20, 0x00, 0xce, ...new Array(10).fill(0), 0x02, 0x54], 128, "metadata"],
  [[0xfd, 0x00, 0x00, 0xc1, ...new Array(8).fill(0), 0xa9, 0xfe, 0xa9, 0xfe], 128, "metadata"],
  [[0xfd, 0x00, 0x00, 0x42, ...new Array(11).fill(0), 0x42], 128, "metadata"],
  [[0xfc], 7, "private"],
  [[0xfe, 0xc0], 10, "private"],
  [[0xff], 8, "multicast"],
  [[0x20, 0x01, 0x0d, 0xb8], 32, "reserved"],
  [[0x3f, 0xff, 0x00], 20, "reserved"],
  [[0x20, 0x01, 0x00, 0x02, 0x00, 0x00], 48, "reserved"],
  [[0x20, 0x01, 0x00, 0x10], 28, "reserved"],
  [[0x20, 0x01, 0x00, 0x20], 28, "reserved"],
];

/**
 * Where an address leads, whatever it is wrapped in: an IPv4 address inside a mapped, translated (NAT64),
 * 6to4, Teredo or ISATAP form counts as itself. `own` holds the texts of this host's addresses.
 */
export function classify(address: Address, own: ReadonlySet<string>): AddressClass {
  const kind = address.family === 4 ? classOf4(address) : classOf6(address, own);
  return kind === "public" && own.has(address.text) ? "own" : kind;
}

/** The IPv4 address that a mapped or translated form stands for; any other address is itself. */
export function unwrapped(address: Address): Address {
  const bytes = address.bytes;
  return isMapped(bytes) || isTranslated(bytes) ? addressOf(bytes.slice(12)) : address;
}

function classOf4(address: Address): AddressClass {
  return firstMatch(ranges4, address.bytes) ?? "public";
}

function classOf6(address: Address, own: ReadonlySet<string>): AddressClass {
  const { bytes } = address;
  const within = (from: number) => classify(addressOf(bytes.slice(from, from + 4)), own);
  if (isMapped(bytes) || isTranslated(bytes)) return within(12);
  const named = firstMatch(ranges6, bytes);
  if (named !== undefined) return named;
  if ((byte(bytes, 0) & 0xe0) !== 0x20) return "reserved";
  if (startsWith(bytes, [0x20, 0x02])) return within(2);
  if (startsWith(bytes, [0x20, 0x01, 0, 0])) {
    // Teredo: the server's address, and the client's with every bit turned over.
    const client = bytes.slice(12).map((value) => value ^ 0xff);
    return worse(within(4), classify(addressOf(client), own));
  }
  // An ISATAP interface identifier holds the IPv4 address of its machine.
  const interfaceId = (byte(bytes, 8) & 0xfd) === 0 && byte(bytes, 9) === 0;
  if (interfaceId && byte(bytes, 10) === 0x5e && byte(bytes, 11) === 0xfe) return within(12);
  return "public";
}

function worse(one: AddressClass, other: AddressClass): AddressClass {
  return one === "public" ? other : one;
}

function isMapped(bytes: Uint8Array): boolean {
  return startsWith(bytes, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
}

function isTranslated(bytes: Uint8Array): boolean {
  return startsWith(bytes, [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]);
}

function firstMatch(ranges: readonly Range[], bytes: Uint8Array): AddressClass | undefined {
  return ranges.find(([start, bits]) => matches(bytes, start, bits))?.[2];
}

function matches(bytes: Uint8Array, start: readonly number[], bits: number): boolean {
  for (let i = 0; i * 8 < bits; i++) {
    const mask = (0xff << Math.max(0, 8 - (bits - i * 8))) & 0xff;
    if ((byte(bytes, i) & mask) !== ((start[i] ?? 0) & mask)) return false;
  }
  return true;
}

function startsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return bytes.length === 16 && start.every((value, at) => bytes[at] === value);
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
