import { parseAddress } from "./address.ts";
import { wireName } from "./wire-name.ts";

/** What the first bytes of a connection say, read as TLS. */
export type HelloReading =
  | { readonly kind: "incomplete" }
  | { readonly kind: "not-tls" }
  | { readonly kind: "malformed" }
  | {
      readonly kind: "hello";
      /** Canonical; null when the client names no server. */
      readonly serverName: string | null;
      /** An encrypted hello is inside: the name is that of its outside. */
      readonly encrypted: boolean;
    };

const handshakeRecord = 22;
const clientHello = 1;
const recordBytesMax = 16 * 1024 + 256;
const serverNameExtension = 0;
const encryptedHelloExtension = 0xfe0d;

/** Reads a ClientHello, whatever records it is cut into. Never looks beyond `bytes`. */
export function readClientHello(bytes: Uint8Array): HelloReading {
  const records = joinRecords(bytes);
  if (typeof records === "string") return { kind: records };
  const message = records;
  if (message.length < 4) return { kind: "incomplete" };
  if (message[0] !== clientHello) return { kind: "not-tls" };
  const length = (u8(message, 1) << 16) | (u8(message, 2) << 8) | u8(message, 3);
  if (message.length < 4 + length) return { kind: "incomplete" };
  return readBody(new Reader(message.subarray(4, 4 + length)));
}

function readBody(body: Reader): HelloReading {
  body.take(2 + 32);
  body.take(body.u8());
  body.take(body.u16());
  body.take(body.u8());
  const extensions = new Reader(body.left > 0 ? body.take(body.u16()) : nothing);
  const seen = new Map<number, Uint8Array>();
  while (extensions.left > 0) {
    const type = extensions.u16();
    const content = extensions.take(extensions.u16());
    // The same one twice is an attempt to be read in two ways.
    if (seen.has(type)) return { kind: "malformed" };
    seen.set(type, content);
  }
  if (body.cutOff || extensions.cutOff || body.left > 0) return { kind: "malformed" };
  const name = seen.get(serverNameExtension);
  const serverName = name === undefined ? null : readServerName(new Reader(name));
  if (serverName === undefined) return { kind: "malformed" };
  return { kind: "hello", serverName, encrypted: seen.has(encryptedHelloExtension) };
}

/** The one host name of the list; null for an address, which names nobody; undefined for nonsense. */
function readServerName(content: Reader): string | null | undefined {
  const list = new Reader(content.take(content.u16()));
  const type = list.u8();
  const text = Buffer.from(list.take(list.u16())).toString("latin1");
  const cutOff = content.cutOff || list.cutOff;
  if (cutOff || type !== 0 || list.left > 0 || content.left > 0) return undefined;
  return parseAddress(text) === null ? (wireName(text) ?? undefined) : null;
}

/** The content of the handshake records at the start; what is not a whole record is left out. */
function joinRecords(bytes: Uint8Array): Uint8Array | "not-tls" | "malformed" {
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] !== handshakeRecord) return at === 0 ? "not-tls" : afterHello(parts);
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return "not-tls";
    if (at + 5 > bytes.length) break;
    const length = (u8(bytes, at + 3) << 8) | u8(bytes, at + 4);
    if (length === 0 || length > recordBytesMax) return "not-tls";
    const end = Math.min(at + 5 + length, bytes.length);
    parts.push(bytes.subarray(at + 5, end));
    at = at + 5 + length;
  }
  return joined(parts);
}

/** Another record (early data) may follow a whole hello, but not interrupt it. */
function afterHello(parts: readonly Uint8Array[]): Uint8Array | "malformed" {
  const message = joined(parts);
  const length = (u8(message, 1) << 16) | (u8(message, 2) << 8) | u8(message, 3);
  return message.length >= 4 && message.length >= 4 + length ? message : "malformed";
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

const nothing = new Uint8Array(0);

/** Reads big-endian fields; beyond the end of its bytes everything is empty and `cutOff` is true. */
class Reader {
  cutOff = false;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(count: number): Uint8Array {
    if (count > this.left) {
      this.cutOff = true;
      this.#at = this.#bytes.length;
      return nothing;
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  u8(): number {
    return u8(this.take(1), 0);
  }

  u16(): number {
    const two = this.take(2);
    return (u8(two, 0) << 8) | u8(two, 1);
  }
}

function u8(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
