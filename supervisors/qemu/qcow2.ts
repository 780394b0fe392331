import { open } from "node:fs/promises";
import { fileError } from "../../src/host/file-error.ts";

const clusterBits = 16;
const clusterBytes = 1 << clusterBits;
/** Header, refcount table, refcount block; the first level table follows. */
const fixedClusters = 3;
const bytesPerL1Entry = clusterBytes * (clusterBytes / 8);

/**
 * Makes an empty copy-on-write disk (qcow2, version 3, 0600, must not exist): everything is read from
 * what it is put on. It names no file of its own accord; whoever opens it says what lies below.
 */
export async function makeOverlay(path: string, virtualBytes: number): Promise<void> {
  const l1Entries = Math.max(1, Math.ceil(virtualBytes / bytesPerL1Entry));
  const l1Clusters = Math.ceil((l1Entries * 8) / clusterBytes);
  const clusters = fixedClusters + l1Clusters;
  const image = Buffer.alloc(clusters * clusterBytes);
  image.write("QFI\u00fb", 0, "latin1");
  image.writeUInt32BE(3, 4);
  image.writeUInt32BE(clusterBits, 20);
  image.writeBigUInt64BE(BigInt(virtualBytes), 24);
  image.writeUInt32BE(l1Entries, 36);
  image.writeBigUInt64BE(BigInt(fixedClusters * clusterBytes), 40);
  image.writeBigUInt64BE(BigInt(clusterBytes), 48);
  image.writeUInt32BE(1, 56);
  // Reference counts of 16 bits, and the length of this header.
  image.writeUInt32BE(4, 96);
  image.writeUInt32BE(104, 100);
  image.writeBigUInt64BE(BigInt(2 * clusterBytes), clusterBytes);
  for (let index = 0; index < clusters; index++) {
    image.writeUInt16BE(1, 2 * clusterBytes + 2 * index);
  }
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(image);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, `Disk "${path}" cannot be made`);
  }
}
