import { limits } from "../base/limits.ts";
import { protocolViolation } from "./failure.ts";

export const frameHeaderBytes = 12;

export const frameType = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const;
export type FrameType = (typeof frameType)[keyof typeof frameType];

export const frameFlag = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;
const knownFlags = frameFlag.syn | frameFlag.ack | frameFlag.fin | frameFlag.rst;

export const goAwayCode = { normal: 0, protocolError: 1, internalError: 2 } as const;

export interface FrameHeader {
  readonly type: FrameType;
  readonly flags: number;
  readonly streamId: number;
  /** Bytes that follow (data), credit (window update), an opaque value (ping) or a code (go away). */
  readonly length: number;
}

export function encodeHeader(header: FrameHeader): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes);
  bytes[0] = 0;
  bytes[1] = header.type;
  bytes.writeUInt16BE(header.flags, 2);
  bytes.writeUInt32BE(header.streamId, 4);
  bytes.writeUInt32BE(header.length, 8);
  return bytes;
}

/** Reads and checks the twelve header bytes at `offset`; throws `protocol_violation`. */
export function decodeHeader(bytes: Buffer, offset = 0): FrameHeader {
  const version = bytes.readUInt8(offset);
  const type = bytes.readUInt8(offset + 1);
  const flags = bytes.readUInt16BE(offset + 2);
  const streamId = bytes.readUInt32BE(offset + 4);
  const length = bytes.readUInt32BE(offset + 8);
  if (version !== 0) throw violation("version", version, "0");
  if (!isFrameType(type)) throw violation("type", type, "0 to 3");
  if ((flags & ~knownFlags) !== 0) throw violation("flags", flags, "a mix of 1, 2, 4 and 8");
  const header = { type, flags, streamId, length };
  checkByType(header);
  return header;
}

function checkByType(header: FrameHeader): void {
  const { flags, streamId, length } = header;
  switch (header.type) {
    case frameType.data:
      if (length > limits.channel.frameBytesMax) {
        throw violation("data length", length, `at most ${limits.channel.frameBytesMax}`);
      }
      if (streamId === 0) throw violation("stream id of a data frame", 0, "at least 1");
      return;
    case frameType.windowUpdate:
      if (streamId === 0) throw violation("stream id of a window update", 0, "at least 1");
      return;
    case frameType.ping:
      if (streamId !== 0) throw violation("stream id of a ping", streamId, "0");
      if (flags !== frameFlag.syn && flags !== frameFlag.ack) {
        throw violation("flags of a ping", flags, "1 or 2");
      }
      return;
    case frameType.goAway:
      if (streamId !== 0) throw violation("stream id of a go-away", streamId, "0");
      if (flags !== 0) throw violation("flags of a go-away", flags, "0");
      return;
    default:
      header.type satisfies never;
  }
}

function isFrameType(value: number): value is FrameType {
  return value <= frameType.goAway;
}

function violation(field: string, found: number, wanted: string): Error {
  return protocolViolation(`The guest sent a frame with ${field} "${found}", wanted ${wanted}`, {
    field,
    found,
  });
}

/** Window of a fresh stream in both directions, as the yamux specification says. */
export const initialWindowBytes: number = 256 * 1024;
