import type { Op } from "../../base/op.ts";
import type { OutputFile } from "../disk/output-file.ts";
import { ext4, type Geometry, groupPlaces, hasSuperblock } from "./geometry.ts";
import { groupState, type Usage } from "./groups.ts";
import { encodeSuperblock } from "./superblock.ts";

export interface Frame {
  readonly geometry: Geometry;
  readonly usage: Usage;
  readonly uuid: Uint8Array;
  readonly hashSeed: Uint8Array;
  readonly label: string;
}

/** Writes what makes a file system of the blocks: superblocks, descriptors and bitmaps. */
export async function writeFrame(op: Op, output: OutputFile, frame: Frame): Promise<void> {
  const { geometry, usage, uuid } = frame;
  const descriptors = Buffer.alloc(geometry.descriptorBlocks * ext4.blockBytes);
  let freeBlocks = 0;
  let freeInodes = 0;
  for (let group = 0; group < geometry.groupCount; group++) {
    const state = groupState(geometry, usage, uuid, group);
    const places = groupPlaces(geometry, group);
    descriptors.set(state.descriptor, group * ext4.descriptorBytes);
    freeBlocks += state.freeBlocks;
    freeInodes += state.freeInodes;
    if (state.blockBitmap !== null) {
      output.put(places.blockBitmap * ext4.blockBytes, state.blockBitmap);
    }
    if (state.inodeBitmap !== null) {
      output.put(places.inodeBitmap * ext4.blockBytes, state.inodeBitmap);
    }
    if (group % 256 === 0) await output.settle(op);
  }
  const fields = { ...frame, freeBlocks, freeInodes };
  for (let group = 0; group < geometry.groupCount; group++) {
    if (!hasSuperblock(group)) continue;
    const start = group * ext4.blocksPerGroup * ext4.blockBytes;
    // Only the first block leaves room for a boot sector.
    output.put(start + (group === 0 ? 1024 : 0), encodeSuperblock(fields, group));
    output.put(start + ext4.blockBytes, descriptors);
    await output.settle(op);
  }
}
