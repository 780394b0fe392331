import { domainToASCII } from "node:url";
import { type Address, parseAddress } from "./address.ts";
import { isAddressInDisguise } from "./wire-name.ts";

/** One entry of a list of hosts: `api.example.com`, `.example.com` (itself and below), an address; `:port` or `:from-to` optional. */
export interface HostRule {
  /** As it was written, for messages. */
  readonly text: string;
  /** Lower-case ASCII name without a leading or trailing dot; null for an address. */
  readonly name: string | null;
  /** The rule holds for names below as well. */
  readonly subdomains: boolean;
  readonly address: Address | null;
  /** The only port, or the first of a range. Null: every port. */
  readonly port: number | null;
  /** The last port of a range; null without one. */
  readonly lastPort: number | null;
}

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** A host name as users write it: IDNA, lower case, no trailing dot. Null when it is none. Never for bytes of the wire: `wireName`. */
export function canonicalName(text: string): string | null {
  if (text.length === 0 || text.length > 1024 || foreign.test(text)) return null;
  const bare = text.endsWith(".") ? text.slice(0, -1) : text;
  // Underscores are no host name for IDNA, but names of services have them.
  const ascii = /^[A-Za-z0-9_.-]+$/.test(bare) ? bare.toLowerCase() : domainToASCII(bare);
  if (ascii.length === 0 || ascii.length > 253) return null;
  const labels = ascii.split(".");
  if (!labels.every((part) => label.test(part))) return null;
  return isAddressInDisguise(labels.at(-1) ?? "") ? null : ascii;
}

/** Characters that belong to URLs, patterns and lists, and that the conversion to ASCII would decode or cut off. */
const foreign = /[#?/\\%@\s]/u;

/** The rule a text stands for, or the sentence that says what is wrong with it. */
export function parseHostRule(text: string): HostRule | string {
  const wanted =
    'expected a name, ".suffix" or an address, with ":port" or ":first-last" if needed';
  const bad = (): string => `Host "${text}" is not understood, ${wanted}`;
  const odd = foreign.exec(text)?.[0];
  if (odd !== undefined) {
    const what = odd.trim() === "" ? "a blank" : `a "${odd}"`;
    return `Host "${text}" has ${what}, ${wanted}, without scheme, user, path or prefix length`;
  }
  if (text.includes("*")) {
    return `Host "${text}" has a "*", ${wanted}; ".example.com" stands for the name and all below it`;
  }
  const anyPort = { text, port: null, lastPort: null };
  const bare = parseAddress(text);
  if (bare !== null) return { ...anyPort, name: null, subdomains: false, address: bare };
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5})(?:-(\d{1,5}))?)?$/.exec(text);
  if (parts === null) return bad();
  const [, bracketed, plain, first, last] = parts;
  const port = first === undefined ? null : Number(first);
  const lastPort = last === undefined ? null : Number(last);
  if (port !== null && (port < 1 || port > 65535 || (lastPort ?? port) > 65535)) {
    return `Host "${text}" has port ${lastPort ?? port}, expected 1 to 65535`;
  }
  if (lastPort !== null && lastPort <= (port ?? 0)) {
    return `Host "${text}" has the ports ${port}-${lastPort}, expected the lower one first`;
  }
  const host = bracketed ?? plain ?? "";
  const ports = { text, port, lastPort };
  const address = parseAddress(host);
  if (address !== null) return { ...ports, name: null, subdomains: false, address };
  if (bracketed !== undefined) return bad();
  const subdomains = host.startsWith(".");
  const name = canonicalName(subdomains ? host.slice(1) : host);
  return name === null ? bad() : { ...ports, name, subdomains, address: null };
}

/** Whether the rule holds for a port; a null one asks for any. */
export function coversPort({ port: first, lastPort }: HostRule, port: number | null): boolean {
  if (port === null || first === null) return true;
  return port >= first && port <= (lastPort ?? first);
}

/** True when a rule of the list holds for this name (canonical) and port; a null port asks for any. */
export function listsName(rules: readonly HostRule[], name: string, port: number | null): boolean {
  return rules.some((rule) => namesHost(rule, name) && coversPort(rule, port));
}

/** Whether the rule is for this name (canonical), whatever its ports. */
export function namesHost(rule: HostRule, name: string): boolean {
  if (rule.name === null) return false;
  return rule.name === name || (rule.subdomains && name.endsWith(`.${rule.name}`));
}

/** True when a rule of the list is this very address, in whatever spelling. */
export function listsAddress(rules: readonly HostRule[], address: Address, port: number): boolean {
  return rules.some((rule) => rule.address?.text === address.text && coversPort(rule, port));
}
