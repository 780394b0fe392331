/** The parts of an x86 boot image that we need. */
export interface BzImage {
  /** First words of the version string: the release as `uname -r` prints it. */
  readonly version: string;
  /** The compressed kernel. */
  readonly payload: Uint8Array;
}

/** Where the real-mode header keeps its fields, from the x86 boot protocol 2.08 on. */
const field = {
  setupSectors: 0x1f1,
  magic: 0x202,
  protocol: 0x206,
  versionPointer: 0x20e,
  payloadOffset: 0x248,
  payloadLength: 0x24c,
} as const;
const headerMagic = 0x53726448;
const protocolMin = 0x0208;
const sectorBytes = 512;

/** Reads an x86 bzImage; null when `bytes` is none or its header points outside the file. */
export function readBzImage(bytes: Uint8Array): BzImage | null {
  if (bytes.length < 0x268) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(field.magic, true) !== headerMagic) return null;
  if (view.getUint16(field.protocol, true) < protocolMin) return null;
  // Zero means four, for boot loaders of long ago.
  const setupSectors = bytes[field.setupSectors] || 4;
  const protectedAt = (setupSectors + 1) * sectorBytes;
  const payloadAt = protectedAt + view.getUint32(field.payloadOffset, true);
  const payloadEnd = payloadAt + view.getUint32(field.payloadLength, true);
  if (payloadEnd > bytes.length || payloadAt >= payloadEnd) return null;
  const versionAt = view.getUint16(field.versionPointer, true) + sectorBytes;
  return {
    version: firstWord(bytes.subarray(versionAt, versionAt + 256)),
    payload: bytes.subarray(payloadAt, payloadEnd),
  };
}

function firstWord(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("latin1");
  return /^[A-Za-z0-9.+~_-]+/.exec(text)?.[0] ?? "";
}
