import { type Unreadable, unreadable } from "./authority.ts";
import { readClientHello, recordType } from "./client-hello.ts";
import { headBytesMax, type RequestHead, readRequestHead } from "./http-head.ts";

/** What a connection turned out to be from the guest's first bytes. */
export type FirstBytes =
  /** `text`: a line that has not ended, which may be that of any protocol. */
  | { readonly kind: "incomplete"; readonly text: boolean }
  | { readonly kind: "tls"; readonly serverName: string | null; readonly encrypted: boolean }
  | { readonly kind: "http"; readonly head: RequestHead }
  /** HTTP/2 without TLS: its requests cannot be read without its compression. */
  | { readonly kind: "http2" }
  /** TLS or HTTP that can be read in two ways, or does not end. */
  | (Unreadable & { readonly protocol: "TLS" | "HTTP" })
  /** Some other protocol. */
  | { readonly kind: "opaque" };

/** How much of a connection is looked at before it must have said what it is. */
export const firstBytesMax: number = headBytesMax;

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Comes before the request of a client that a proxy speaks for (PROXY protocol, version 2). */
const proxySignature = Buffer.from("\r\n\r\n\0\r\nQUIT\n");

/** `demanded`: a name has to be found, so whatever a server could read as a request is taken for one. */
export function readFirstBytes(bytes: Uint8Array, demanded: boolean): FirstBytes {
  const hello = readClientHello(bytes);
  if (hello.kind === "hello") {
    return { kind: "tls", serverName: hello.serverName, encrypted: hello.encrypted };
  }
  const full = bytes.length >= firstBytesMax;
  if (hello.kind === "malformed") return { ...hello, protocol: "TLS" };
  if (hello.kind === "incomplete") {
    // Only this one is worth a wait where nothing is demanded.
    if (!demanded && bytes[0] !== recordType.handshake) return { kind: "opaque" };
    if (full)
      return {
        ...unreadable(`its ClientHello is longer than ${firstBytesMax} bytes`),
        protocol: "TLS",
      };
    return { kind: "incomplete", text: false };
  }
  if (!demanded && !beginsWithMethod(bytes)) return { kind: "opaque" };
  if (startsAs(bytes, preface)) {
    return bytes.length < preface.length ? { kind: "incomplete", text: false } : { kind: "http2" };
  }
  if (startsAs(bytes, proxySignature) && bytes.length >= proxySignature.length) {
    return { ...unreadable("a header of the PROXY protocol comes first"), protocol: "HTTP" };
  }
  const request = readRequestHead(bytes);
  switch (request.kind) {
    case "request":
      return { kind: "http", head: request.head };
    case "not-http":
      return { kind: "opaque" };
    case "malformed":
      return { ...request, protocol: "HTTP" };
    case "incomplete":
      return request;
    default:
      return request satisfies never;
  }
}

/** True when the bytes begin with all of the other ones, or are the beginning of them from the first line on. */
function startsAs(bytes: Uint8Array, whole: Buffer): boolean {
  if (bytes.length < 5) return false;
  return whole.subarray(0, bytes.length).equals(bytes.subarray(0, whole.length));
}

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"];

/** Where nothing is demanded, nobody waits for the end of what is hardly a request. */
function beginsWithMethod(bytes: Uint8Array): boolean {
  const word = Buffer.from(bytes.subarray(0, 8)).toString("latin1");
  return methods.some((method) => word.startsWith(`${method} `) || `${method} `.startsWith(word));
}
