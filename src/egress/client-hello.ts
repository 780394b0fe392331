import { parseAddress } from "./address.ts";
import { type Unreadable, unreadable } from "./authority.ts";
import { wireName } from "./wire-name.ts";

/** What the first bytes of a connection say, read as TLS. */
export type HelloReading =
  | { readonly kind: "incomplete" }
  | { readonly kind: "not-tls" }
  | Unreadable
  | {
      readonly kind: "hello";
      /** As it is compared; null when the client names no server. */
      readonly serverName: string | null;
      /** An encrypted hello is inside: the name is that of its outside. */
      readonly encrypted: boolean;
    };

export const recordType = {
  changeCipherSpec: 20,
  alert: 21,
  handshake: 22,
  data: 23,
  heartbeat: 24,
} as const;
export const recordHeadBytes = 5;
const clientHello = 1;
const helloBytesMax = 16 * 1024;
const recordBytesMax = 16 * 1024;
const serverNameExtension = 0;
const encryptedHelloExtension = 0xfe0d;

/** Reads a ClientHello, whatever records it is cut into. Never looks beyond `bytes`. */
export function readClientHello(bytes: Uint8Array): HelloReading {
  if (isOldHello(bytes)) {
    // The form of SSL 2, which OpenSSL still takes, has no extensions.
    return bytes.length < 4
      ? { kind: "incomplete" }
      : { kind: "hello", serverName: null, encrypted: false };
  }
  const message = helloMessage(bytes);
  return "kind" in message ? message : readBody(new Reader(message.body));
}

/** Where the records of a readable ClientHello end. */
export function endOfHello(bytes: Uint8Array): number {
  const message = helloMessage(bytes);
  return "kind" in message ? bytes.length : message.end;
}

/** `length, 1, version`, with the top bit of the length set; true for its beginning too. */
function isOldHello(bytes: Uint8Array): boolean {
  const [first = 0, , type = clientHello, major = 3] = bytes;
  return (first & 0x80) !== 0 && type === clientHello && (major === 3 || major === 0);
}

/**
 * The message in the handshake records at the start. Servers differ in what else they pass over before it, so only records of
 * the handshake may come, in the version that every client writes, none of them empty, and nothing in the last one after it.
 */
function helloMessage(
  bytes: Uint8Array,
): { readonly body: Uint8Array; readonly end: number } | Exclude<HelloReading, { kind: "hello" }> {
  const [type = 0, major = 3] = bytes;
  if (type < recordType.changeCipherSpec || type > recordType.heartbeat || major >= 0x10) {
    return { kind: "not-tls" };
  }
  if (type !== recordType.handshake) return unreadable(`TLS begins with a record of type ${type}`);
  let message: Uint8Array = nothing;
  for (let at = 0; ; ) {
    if (at + recordHeadBytes > bytes.length) return { kind: "incomplete" };
    const size = (u8(bytes, at + 3) << 8) | u8(bytes, at + 4);
    const content = bytes.subarray(at + recordHeadBytes, at + recordHeadBytes + size);
    if (at === 0 && content.length > 0 && content[0] !== clientHello) return { kind: "not-tls" };
    if (bytes[at] !== recordType.handshake)
      return unreadable("another record interrupts the ClientHello");
    if (bytes[at + 1] !== 3) return unreadable("the version of a TLS record is none");
    if (size === 0 || size > recordBytesMax) return unreadable(`a TLS record has ${size} bytes`);
    message = message.length === 0 ? content : Buffer.concat([message, content]);
    at += recordHeadBytes + size;
    if (message.length >= 4) {
      const length = 4 + ((u8(message, 1) << 16) | (u8(message, 2) << 8) | u8(message, 3));
      if (length > helloBytesMax) return unreadable(`the ClientHello has ${length} bytes`);
      if (message.length > length)
        return unreadable("something follows the ClientHello in its record");
      if (message.length === length && at <= bytes.length)
        return { body: message.subarray(4), end: at };
    }
    if (at > bytes.length) return { kind: "incomplete" };
  }
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
    if (seen.has(type)) return unreadable(`the ClientHello has extension ${type} twice`);
    seen.set(type, content);
  }
  if (body.cutOff || extensions.cutOff || body.left > 0) {
    return unreadable("the lengths in the ClientHello do not fit");
  }
  const name = seen.get(serverNameExtension);
  const serverName = name === undefined ? null : readServerName(new Reader(name));
  if (serverName !== null && typeof serverName !== "string") return serverName;
  return { kind: "hello", serverName, encrypted: seen.has(encryptedHelloExtension) };
}

/** The one host name of the list. An address is none: clients leave it out, servers may take it for a name. */
function readServerName(content: Reader): string | Unreadable {
  const list = new Reader(content.take(content.u16()));
  const type = list.u8();
  const text = Buffer.from(list.take(list.u16())).toString("latin1");
  const cutOff = content.cutOff || list.cutOff;
  if (cutOff || type !== 0 || list.left > 0 || content.left > 0) {
    return unreadable("the server name of the ClientHello is no list of one");
  }
  const name = parseAddress(text) === null ? wireName(text) : null;
  return name ?? unreadable("TLS asks for what is no name", text);
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
