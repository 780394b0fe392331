import { oneLine } from "../base/foreign-text.ts";

/** Guest text made safe for a message. */
export function printable(text: string, charsMax = 200): string {
  return oneLine(text, charsMax);
}

/** The first bytes of something unexpected, as text for a message. */
export function printableBytes(bytes: Uint8Array, bytesMax = 32): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, bytesMax));
  return printable(head.toString("latin1")) + (bytes.length > bytesMax ? "..." : "");
}
