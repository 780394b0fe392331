import { type Address, addressOf } from "./address.ts";

/** The address a name for reverse lookups stands for; null for other names and for parts of addresses. */
export function reversedAddress(name: string): Address | null {
  const four = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  if (four !== null) {
    const numbers = four.slice(1).reverse().map(Number);
    return numbers.some((number) => number > 255) ? null : addressOf(Uint8Array.from(numbers));
  }
  const six = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name);
  if (six === null) return null;
  const digits = (six[1] ?? "").split(".").slice(0, 32).reverse().join("");
  return addressOf(Uint8Array.from(Buffer.from(digits, "hex")));
}

export function isReverseName(name: string): boolean {
  return /(^|\.)(in-addr|ip6)\.arpa$/.test(name);
}
