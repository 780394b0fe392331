import { isIP } from "node:net";

/** An IP address in its one spelling. */
export interface Address {
  readonly family: 4 | 6;
  /** Dotted quad, or RFC 5952 text. */
  readonly text: string;
  /** 4 or 16 bytes. */
  readonly bytes: Uint8Array;
}

/** Reads an address in any spelling the system accepts, without a zone; null for anything else. */
export function parseAddress(text: string): Address | null {
  if (text.length > 45) return null;
  const family = isIP(text);
  if (family === 4) return addressOf(Uint8Array.from(text.split("."), Number));
  if (family !== 6 || text.includes("%")) return null;
  return addressOf(parseGroups(text));
}

/** The address of 4 or 16 bytes in network order. */
export function addressOf(bytes: Uint8Array): Address {
  if (bytes.length === 4) return { family: 4, text: bytes.join("."), bytes };
  return { family: 6, text: formatGroups(groupsOf(bytes)), bytes };
}

/** `address:port`, with brackets around IPv6. */
export function endpointText(address: Address, port: number): string {
  return address.family === 4 ? `${address.text}:${port}` : `[${address.text}]:${port}`;
}

function parseGroups(text: string): Uint8Array {
  // A dotted tail counts for two groups.
  const plain = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => {
    const hex = (high: string, low: string) => ((Number(high) << 8) | Number(low)).toString(16);
    return `${hex(a, b)}:${hex(c, d)}`;
  });
  const [head = "", tail] = plain.split("::");
  const groups = (part: string) =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const all = [...before, ...new Array(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function groupsOf(bytes: Uint8Array): number[] {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  return groups;
}

/** The longest run of zeros, the first of equals, becomes `::`. */
function formatGroups(groups: readonly number[]): string {
  let best = { at: -1, length: 1 };
  let at = 0;
  while (at < 8) {
    let end = at;
    while (end < 8 && groups[end] === 0) end += 1;
    if (end - at > best.length) best = { at, length: end - at };
    at = Math.max(end, at + 1);
  }
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (best.at < 0) return hex(groups);
  return `${hex(groups.slice(0, best.at))}::${hex(groups.slice(best.at + best.length))}`;
}
