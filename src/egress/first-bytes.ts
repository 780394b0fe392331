import { readClientHello } from "./client-hello.ts";
import { type RequestHead, readRequestHead } from "./http-head.ts";

/** What a connection turned out to be from the guest's first bytes. */
export type FirstBytes =
  | { readonly kind: "incomplete" }
  | { readonly kind: "tls"; readonly serverName: string | null; readonly encrypted: boolean }
  | { readonly kind: "http"; readonly head: RequestHead }
  /** TLS or HTTP that can be read in two ways, or does not end. */
  | { readonly kind: "malformed" }
  /** Some other protocol. */
  | { readonly kind: "opaque" };

/** How much of a connection is looked at before it must have said what it is. */
export const firstBytesMax: number = 16 * 1024;

const preface = Buffer.from("PRI * HTTP/2.0\r\n");

/** `anyMethod`: wait for the end of what could be a request with a method nobody knows. */
export function readFirstBytes(bytes: Uint8Array, anyMethod: boolean): FirstBytes {
  const full = bytes.length >= firstBytesMax;
  const hello = readClientHello(bytes);
  if (hello.kind === "hello") {
    return { kind: "tls", serverName: hello.serverName, encrypted: hello.encrypted };
  }
  if (hello.kind !== "not-tls") {
    return { kind: hello.kind === "malformed" || full ? "malformed" : "incomplete" };
  }
  // HTTP/2 without TLS: its head cannot be read without its compression.
  if (preface.equals(bytes.subarray(0, preface.length))) return { kind: "malformed" };
  const request = readRequestHead(bytes, anyMethod);
  if (request.kind === "request") return { kind: "http", head: request.head };
  if (request.kind === "not-http") return { kind: "opaque" };
  return { kind: request.kind === "malformed" || full ? "malformed" : "incomplete" };
}
