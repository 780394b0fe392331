import { domainToASCII } from "node:url";
import { type Address, parseAddress } from "./address.ts";

/** One entry of a list of hosts: `api.example.com`, `.example.com` (itself and below), an address; `:port` optional. */
export interface HostRule {
  /** As it was written, for messages. */
  readonly text: string;
  /** Lower-case ASCII name without a leading or trailing dot; null for an address. */
  readonly name: string | null;
  /** The rule holds for names below as well. */
  readonly subdomains: boolean;
  readonly address: Address | null;
  /** Null: every port. */
  readonly port: number | null;
}

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** A host name as it is compared: IDNA, lower case, no trailing dot. Null when it is none. */
export function canonicalName(text: string): string | null {
  if (text.length === 0 || text.length > 1024) return null;
  const bare = text.endsWith(".") ? text.slice(0, -1) : text;
  // Underscores are no host name for IDNA, but names of services have them.
  const ascii = /^[A-Za-z0-9_.-]+$/.test(bare) ? bare.toLowerCase() : domainToASCII(bare);
  if (ascii.length === 0 || ascii.length > 253) return null;
  const labels = ascii.split(".");
  if (!labels.every((part) => label.test(part))) return null;
  // A name whose last label is a number is an address in disguise (`127.1`, `0x7f.1`).
  return /^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "") ? null : ascii;
}

/** The rule a text stands for, or the sentence that says what is wrong with it. */
export function parseHostRule(text: string): HostRule | string {
  const wanted = 'wanted a name, ".suffix" or an address, with ":port" if needed';
  const trimmed = text.trim();
  const bad = (): string => `Host "${text}" is not understood, ${wanted}`;
  if (trimmed.includes("/")) {
    return `Host "${text}" has a "/", ${wanted}, without scheme, path or prefix length`;
  }
  if (trimmed.includes("*")) {
    return `Host "${text}" has a "*", ${wanted}; ".example.com" stands for the name and all below it`;
  }
  const bare = parseAddress(trimmed);
  if (bare !== null) return { text, name: null, subdomains: false, address: bare, port: null };
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(trimmed);
  if (parts === null) return bad();
  const [, bracketed, plain, digits] = parts;
  const port = digits === undefined ? null : Number(digits);
  if (port !== null && (port < 1 || port > 65535)) {
    return `Host "${text}" has port ${digits}, wanted 1 to 65535`;
  }
  const host = bracketed ?? plain ?? "";
  const address = parseAddress(host);
  if (address !== null) return { text, name: null, subdomains: false, address, port };
  if (bracketed !== undefined) return bad();
  const subdomains = host.startsWith(".");
  const name = canonicalName(subdomains ? host.slice(1) : host);
  return name === null ? bad() : { text, name, subdomains, address: null, port };
}

/** True when a rule of the list holds for this name (canonical) and port; a null port asks for any. */
export function listsName(rules: readonly HostRule[], name: string, port: number | null): boolean {
  return rules.some(
    (rule) =>
      rule.name !== null &&
      (rule.name === name || (rule.subdomains && name.endsWith(`.${rule.name}`))) &&
      (port === null || rule.port === null || rule.port === port),
  );
}

/** True when a rule of the list is this very address, in whatever spelling. */
export function listsAddress(rules: readonly HostRule[], address: Address, port: number): boolean {
  return rules.some(
    (rule) => rule.address?.text === address.text && (rule.port === null || rule.port === port),
  );
}
