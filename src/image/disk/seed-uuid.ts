import { createHash } from "node:crypto";

/** A UUID (version 8, 16 bytes) that follows from a text: equal inputs give equal file systems. */
export function uuidOf(purpose: string, seed: string): Buffer {
  const uuid = createHash("sha256").update(`${purpose}\0${seed}`).digest().subarray(0, 16);
  uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x80, 6);
  uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8);
  return uuid;
}
