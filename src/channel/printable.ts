/**
 * Guest text made safe for a message: control characters become `\xNN`, bidirectional overrides and
 * lone surrogates are escaped, and everything past `charsMax` is cut.
 */
export function printable(text: string, charsMax = 200): string {
  const cut = text.length > charsMax ? `${text.slice(0, charsMax)}...` : text;
  // Almost every text is plain: then the large classes below need not be compiled (about a millisecond).
  return plain.test(cut) ? cut : cut.replace(unsafe, escapeUnsafe);
}

/** The first bytes of something unexpected, as text for a message. */
export function printableBytes(bytes: Uint8Array, bytesMax = 32): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, bytesMax));
  return printable(head.toString("latin1")) + (bytes.length > bytesMax ? "..." : "");
}

const plain = /^[\x20-\x7e]*$/;

// Controls, format controls (bidirectional ones too), line separators, lone surrogates.
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

function escapeUnsafe(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  return code < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
}
