/** Kinds of the frames inside a stream; see docs/protocol.md. */
export const frameKind = {
  stdin: 0x01,
  stdinEof: 0x02,
  resize: 0x03,
  signal: 0x04,
  stdout: 0x11,
  stderr: 0x12,
  result: 0x1f,
  entry: 0x21,
  data: 0x22,
  hole: 0x23,
  entryEnd: 0x24,
  skip: 0x25,
  end: 0x2f,
} as const;

export const frameHeadBytes = 5;

/** Largest payload a receiver takes. */
export const framePayloadBytesMax: number = 1024 * 1024;

/** Data payloads we send; with its head one fills a yamux frame exactly. */
export const frameDataBytes: number = 64 * 1024 - frameHeadBytes;

export function encodeFrameHead(kind: number, length: number): Buffer {
  const head = Buffer.allocUnsafe(frameHeadBytes);
  head[0] = kind;
  head.writeUInt32BE(length, 1);
  return head;
}

export function encodeJsonFrame(kind: number, value: unknown): Buffer {
  const payload = Buffer.from(JSON.stringify(value));
  return Buffer.concat([encodeFrameHead(kind, payload.length), payload]);
}

/** A frame as parts for one gathered write; the payload is not copied. */
export function frameParts(kind: number, payload: Uint8Array): Uint8Array[] {
  return [encodeFrameHead(kind, payload.length), payload];
}
