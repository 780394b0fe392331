import { crc32c } from "../disk/crc32c.ts";
import { blockBytes } from "../tree/stored-blocks.ts";
import { erofs } from "./format.ts";

export interface SuperblockFields {
  readonly rootNid: number;
  readonly inodeCount: number;
  readonly blockCount: number;
  readonly metadataBlock: number;
  readonly uuid: Buffer;
  readonly hasChunkedFiles: boolean;
}

/** Block 0 of an image, superblock and its checksum included. */
export function encodeSuperblock(fields: SuperblockFields): Buffer {
  const block = Buffer.alloc(blockBytes);
  const at = erofs.superOffset;
  block.writeUInt32LE(erofs.magic, at);
  block.writeUInt32LE(erofs.compatChecksum | erofs.compatMtime, at + 8);
  block.writeUInt8(erofs.blockBits, at + 12);
  block.writeUInt16LE(fields.rootNid, at + 14);
  block.writeUInt32LE(fields.inodeCount, at + 16);
  // Bytes 24 to 35 are the build time: left at zero, so that equal trees give equal images.
  block.writeUInt32LE(fields.blockCount, at + 36);
  block.writeUInt32LE(fields.metadataBlock, at + 40);
  block.set(fields.uuid, at + 48);
  block.writeUInt32LE(fields.hasChunkedFiles ? erofs.incompatChunkedFile : 0, at + 80);
  block.writeUInt32LE(crc32c(0xffffffff, block, at), at + 4);
  return block;
}
