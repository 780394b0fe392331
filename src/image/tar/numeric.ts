/**
 * A number field of a tar header: octal text, or base-256 (big endian, two's complement) when the
 * first bit is set. NaN when it is neither, or beyond what a double holds exactly.
 */
export function parseNumeric(block: Uint8Array, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  return first & 0x80 ? parseBase256(block, offset, length) : parseOctal(block, offset, length);
}

function parseBase256(block: Uint8Array, offset: number, length: number): number {
  const negative = ((block[offset] ?? 0) & 0x40) !== 0;
  let value = 0;
  for (let i = 0; i < length; i++) {
    let byte = block[offset + i] ?? 0;
    if (negative) byte ^= 0xff;
    if (i === 0) byte &= 0x7f;
    value = value * 256 + byte;
    if (value > Number.MAX_SAFE_INTEGER) return Number.NaN;
  }
  return negative ? -value - 1 : value;
}

function parseOctal(block: Uint8Array, offset: number, length: number): number {
  let at = offset;
  let end = offset + length;
  while (at < end && isFiller(block[at])) at++;
  while (end > at && isFiller(block[end - 1])) end--;
  let value = 0;
  for (; at < end; at++) {
    const byte = block[at] ?? 0;
    // Some writers end a number with a NUL and leave rubbish behind it.
    if (byte === 0) break;
    if (byte < 0x30 || byte > 0x37) return Number.NaN;
    value = value * 8 + (byte - 0x30);
  }
  return value > Number.MAX_SAFE_INTEGER ? Number.NaN : value;
}

function isFiller(byte: number | undefined): boolean {
  return byte === 0 || byte === 0x20;
}

/** A decimal number of a PAX record; NaN when it is not one or not exact in a double. */
export function parseDecimal(text: string): number {
  if (!/^-?[0-9]{1,19}$/.test(text)) return Number.NaN;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : Number.NaN;
}
