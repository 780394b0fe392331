import { domainToASCII } from "node:url";
import type { Check } from "./field-notes.ts";

/** A dotted IPv4 address. */
export function isIpv4(value: string): boolean {
  const parts = value.split(".");
  return (
    parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && +part < 256)
  );
}

/** An IPv6 address without a zone. */
export function isIpv6(value: string): boolean {
  return (
    /^[0-9A-Fa-f:.]+$/.test(value) && value.includes(":") && URL.canParse(`http://[${value}]/`)
  );
}

export const isIpAddress: Check = (value) => (isIpv4(value) || isIpv6(value) ? null : {});

export const isIpv4Address: Check = (value) => (isIpv4(value) ? null : {});

export const isIpv6Address: Check = (value) => (isIpv6(value) ? null : {});

/** `10.0.0.0/24` or `fd00::/64`. */
export const isCidr: Check = (value) => {
  const [address = "", bits = "", extra] = value.split("/");
  const max = isIpv4(address) ? 32 : isIpv6(address) ? 128 : -1;
  return extra === undefined && /^\d{1,3}$/.test(bits) && +bits <= max ? null : {};
};

/** A destination network, optionally with its gateway: `10.1.0.0/16 via 10.0.0.1`. */
export const isRoute: Check = (value) => {
  const [destination = "", via, gateway, extra] = value.split(/ +/);
  if (isCidr(destination) !== null || extra !== undefined) return {};
  if (via === undefined) return null;
  return via === "via" && gateway !== undefined && isIpAddress(gateway) === null ? null : {};
};

/** Where a published port listens on the host: an IP address or `localhost`. */
export const isListenHost: Check = (value) =>
  value === "localhost" || isIpv4(value) || isIpv6(value) ? null : {};

/** A host and port to connect to. */
export const isHostPort: Check = (value) => {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(value);
  if (match === null) return {};
  const port = Number(match[3]);
  if (port < 1 || port > 65535) return { why: "has a port outside 1 to 65535" };
  const [, six, name = ""] = match;
  return (six === undefined ? isDomain(name) || isIpv4(name) : isIpv6(six)) ? null : {};
};

/** What an entry of an egress list may be, for errors. */
export const wantedEgressHost =
  'a host such as "api.example.com", ".example.com", "api.example.com:443" or "ftp.example.com:40000-40010"';

/** An entry of an egress list: a host, every host below `.suffix`, or an address; with a port or not. */
export const isEgressHost: Check = (value) => {
  if (value.includes("://")) {
    return { why: "is a URL", hint: 'Write the host name alone, for example "api.example.com"' };
  }
  if (value.startsWith("*.")) {
    return {
      why: "has a wildcard",
      nearest: value.slice(1),
      hint: "A leading dot covers a domain and all below it",
    };
  }
  if (isIpv4(value) || isIpv6(value)) return null;
  if (value.includes("/")) return { why: "has a slash", hint: "Addresses are listed one by one" };
  const odd = /[#?\\%@\s]/u.exec(value)?.[0];
  if (odd !== undefined) {
    const why = odd.trim() === "" ? "has a blank" : `has a "${odd}"`;
    return { why, hint: "Write the host name alone, without user, path or fragment" };
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5})(?:-(\d{1,5}))?)?$/.exec(value);
  if (match === null) return {};
  const [, six, name = "", first, last] = match;
  if ([first, last].some((port) => port !== undefined && !(+port >= 1 && +port <= 65535))) {
    return { why: "has a port outside 1 to 65535" };
  }
  if (last !== undefined && +last <= +(first ?? 0))
    return { why: "has its ports in the wrong order" };
  if (six !== undefined) return isIpv6(six) ? null : {};
  return isIpv4(name) || isDomain(asciiName(name.replace(/^\./, ""))) ? null : {};
};

/** The name as DNS has it; the empty text where there is no such name. */
export function asciiName(name: string): string {
  // A last label that is a number makes it an address in disguise, such as 127.1 or 0x7f.1.
  if (/(^|\.)(\d+|0x[0-9a-f]*)\.?$/i.test(name)) return "";
  // The conversion reads a URL's host: it would decode these, or cut off what follows.
  if (/[#?/\\%@\s]/u.test(name)) return "";
  // The conversion refuses underscores, which names of services have.
  return /^[\x21-\x7e]+$/.test(name) ? name : domainToASCII(name);
}

/** Labels of letters, digits, hyphens and underscores; a trailing dot is allowed. */
function isDomain(value: string): boolean {
  const name = value.endsWith(".") ? value.slice(0, -1) : value;
  return (
    name.length <= 253 &&
    name.split(".").every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label))
  );
}
