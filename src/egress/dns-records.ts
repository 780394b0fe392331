import type { Address } from "./address.ts";
import { type DnsRecord, dnsType, encodeDnsName } from "./dns-message.ts";

const stringBytesMax = 255;
const dataBytesMax = 16 * 1024;

export function addressRecord(address: Address, ttl: number): DnsRecord {
  return { type: address.family === 4 ? dnsType.a : dnsType.aaaa, ttl, data: address.bytes };
}

/** A record whose data is one name (NS, CNAME, PTR), with numbers before it (MX, SRV); null when the name is none. */
export function nameRecord(
  type: number,
  numbers: readonly number[],
  name: string,
  ttl: number,
): DnsRecord | null {
  const encoded = encodeDnsName(name);
  if (encoded === null) return null;
  const head = Buffer.alloc(numbers.length * 2);
  for (const [at, value] of numbers.entries()) head.writeUInt16BE(value & 0xffff, at * 2);
  return { type, ttl, data: Buffer.concat([head, encoded]) };
}

export function textRecord(texts: readonly string[], ttl: number): DnsRecord | null {
  const parts = texts.flatMap((text) => {
    const bytes = Buffer.from(text, "latin1").subarray(0, stringBytesMax);
    return [Buffer.from([bytes.length]), bytes];
  });
  const data = Buffer.concat(parts);
  return data.length === 0 || data.length > dataBytesMax ? null : { type: dnsType.txt, ttl, data };
}

export interface StartOfAuthority {
  readonly nsname: string;
  readonly hostmaster: string;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  readonly minttl: number;
}

export function authorityRecord(soa: StartOfAuthority, ttl: number): DnsRecord | null {
  const server = encodeDnsName(soa.nsname);
  const mailbox = encodeDnsName(soa.hostmaster);
  if (server === null || mailbox === null) return null;
  const numbers = Buffer.alloc(20);
  const values = [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minttl];
  for (const [at, value] of values.entries()) numbers.writeUInt32BE(value >>> 0, at * 4);
  return { type: dnsType.soa, ttl, data: Buffer.concat([server, mailbox, numbers]) };
}

export function policyRecord(flags: number, tag: string, value: string, ttl: number): DnsRecord {
  const name = Buffer.from(tag, "latin1").subarray(0, stringBytesMax);
  const head = Buffer.from([flags & 0xff, name.length]);
  const data = Buffer.concat([head, name, Buffer.from(value, "latin1").subarray(0, dataBytesMax)]);
  return { type: dnsType.caa, ttl, data };
}
