/** Types and codes of the DNS that this side knows by name. */
export const dnsType = {
  a: 1,
  ns: 2,
  cname: 5,
  soa: 6,
  ptr: 12,
  mx: 15,
  txt: 16,
  aaaa: 28,
  srv: 33,
  svcb: 64,
  https: 65,
  caa: 257,
} as const;

export const dnsCode = {
  ok: 0,
  malformed: 1,
  failed: 2,
  noSuchName: 3,
  notImplemented: 4,
  refused: 5,
} as const;

export type DnsCode = (typeof dnsCode)[keyof typeof dnsCode];

/** What a guest asked. */
export interface DnsQuery {
  readonly id: number;
  readonly recursionDesired: boolean;
  readonly opcode: number;
  /** The one question; null when there is not exactly one that can be read. */
  readonly question: DnsQuestion | null;
  /** The largest answer over UDP it takes. */
  readonly udpBytes: number;
  readonly extended: boolean;
}

export interface DnsQuestion {
  /** Labels as text, lower case, joined by dots, "" for the root. Labels with other bytes than a name's make it null in the query. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The question's bytes, to be repeated in the answer: some clients check the letters' case. */
  readonly bytes: Uint8Array;
}

/** A record of an answer; its owner is the question's name. */
export interface DnsRecord {
  readonly type: number;
  readonly ttl: number;
  readonly data: Uint8Array;
}

const headBytes = 12;
const optType = 41;
const plainUdpBytes = 512;
/** Fits one packet on any path; a larger answer is fetched over TCP. */
const udpBytesMax = 1232;
export const dnsMessageBytesMax = 65_535;

/** Reads a query; null when not even its head is there, or it is an answer: nothing can be said to that. */
export function readDnsQuery(bytes: Uint8Array): DnsQuery | null {
  if (bytes.length < headBytes) return null;
  const view = viewOf(bytes);
  const flags = view.getUint16(2);
  if ((flags & 0x8000) !== 0) return null;
  const questions = view.getUint16(4);
  const answers = view.getUint16(6);
  const authorities = view.getUint16(8);
  const additionals = view.getUint16(10);
  const question = questions === 1 ? readQuestion(bytes) : null;
  const base = {
    id: view.getUint16(0),
    recursionDesired: (flags & 0x0100) !== 0,
    opcode: (flags >> 11) & 0xf,
    question,
    udpBytes: plainUdpBytes,
    extended: false,
  };
  if (question === null || answers > 0 || authorities > 0) return base;
  const size = additionals > 0 ? readOptSize(bytes, headBytes + question.bytes.length) : null;
  if (size === null) return base;
  const udpBytes = Math.max(plainUdpBytes, Math.min(size, udpBytesMax));
  return { ...base, udpBytes, extended: true };
}

/**
 * Writes an answer that fits `bytesMax`: one that does not says so and has no records. Names in the records'
 * data are written out, so nothing points anywhere but to the question.
 */
export function writeDnsAnswer(
  query: DnsQuery,
  code: DnsCode,
  records: readonly DnsRecord[],
  bytesMax: number,
): Buffer {
  const question = query.question?.bytes ?? new Uint8Array(0);
  const opt = query.extended ? optRecord(code === dnsCode.refused) : Buffer.alloc(0);
  const parts = records.map(encodeRecord);
  const size = headBytes + question.length + opt.length;
  const whole = size + parts.reduce((sum, part) => sum + part.length, 0);
  const truncated = whole > bytesMax;
  const head = Buffer.alloc(headBytes);
  head.writeUInt16BE(query.id, 0);
  const asked = query.recursionDesired ? 0x0100 : 0;
  const cut = truncated ? 0x0200 : 0;
  head.writeUInt16BE(0x8080 | (query.opcode << 11) | asked | cut | code, 2);
  head.writeUInt16BE(question.length > 0 ? 1 : 0, 4);
  head.writeUInt16BE(truncated ? 0 : parts.length, 6);
  head.writeUInt16BE(query.extended ? 1 : 0, 10);
  return Buffer.concat([head, question, ...(truncated ? [] : parts), opt]);
}

/** A name as labels; null when it is none. */
export function encodeDnsName(name: string): Buffer | null {
  if (name === "" || name === ".") return Buffer.from([0]);
  const labels = (name.endsWith(".") ? name.slice(0, -1) : name).split(".");
  const parts = labels.map((label) => Buffer.from(label, "latin1"));
  const bytes = parts.reduce((sum, part) => sum + part.length + 1, 1);
  if (bytes > 255 || parts.some((part) => part.length === 0 || part.length > 63)) return null;
  return Buffer.concat([
    ...parts.flatMap((part) => [Buffer.from([part.length]), part]),
    Buffer.from([0]),
  ]);
}

function readQuestion(bytes: Uint8Array): DnsQuestion | null {
  const labels: string[] = [];
  let at = headBytes;
  for (;;) {
    const length = bytes[at];
    // A pointer has nothing before the question to point to.
    if (length === undefined || length > 63) return null;
    at += 1;
    if (length === 0) break;
    const label = Buffer.from(bytes.subarray(at, at + length)).toString("latin1");
    if (label.length < length || !/^[\x21-\x2d\x2f-\x7e]+$/.test(label)) return null;
    labels.push(label.toLowerCase());
    at += length;
  }
  if (at + 4 > bytes.length || at - headBytes > 255) return null;
  const view = viewOf(bytes);
  return {
    name: labels.join("."),
    type: view.getUint16(at),
    class: view.getUint16(at + 2),
    bytes: bytes.slice(headBytes, at + 4),
  };
}

/** The UDP size of an OPT record right after the question, where every client puts it. */
function readOptSize(bytes: Uint8Array, at: number): number | null {
  if (at + 11 > bytes.length || bytes[at] !== 0) return null;
  const view = viewOf(bytes);
  return view.getUint16(at + 1) === optType ? view.getUint16(at + 3) : null;
}

/** RFC 8914: what `dig` prints as "EDE: 18 (Prohibited)". */
const extendedError = 15;
const prohibited = 18;

/** `refused`: the answer says with an extended error that a policy is the reason. */
function optRecord(refused: boolean): Buffer {
  const record = Buffer.alloc(refused ? 17 : 11);
  record.writeUInt16BE(optType, 1);
  record.writeUInt16BE(udpBytesMax, 3);
  if (refused) {
    record.writeUInt16BE(6, 9);
    record.writeUInt16BE(extendedError, 11);
    record.writeUInt16BE(2, 13);
    record.writeUInt16BE(prohibited, 15);
  }
  return record;
}

function encodeRecord(record: DnsRecord): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc000 | headBytes, 0);
  head.writeUInt16BE(record.type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(Math.min(Math.max(0, Math.floor(record.ttl)), 0x7fff_ffff), 6);
  head.writeUInt16BE(record.data.length, 10);
  return Buffer.concat([head, record.data]);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
