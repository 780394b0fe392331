import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { TreeItem } from "../../agent/tree.ts";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";

const pieceBytes = 1024 * 1024;
const blockBytes = 64 * 1024;

/**
 * Digest of a file in which holes and zeros are alike, in lower-case hex. What is zero is left out and
 * only its place counts, because most of a saved memory is.
 */
export async function sparseDigest(op: Op, path: string): Promise<string> {
  const hash = createHash("sha256");
  const zero = Buffer.alloc(blockBytes);
  try {
    const file = await open(path, "r");
    try {
      const piece = Buffer.allocUnsafe(pieceBytes);
      for (let at = 0; ; ) {
        op.check();
        const { bytesRead } = await file.read(piece, 0, pieceBytes, at);
        if (bytesRead === 0) break;
        for (let from = 0; from < bytesRead; from += blockBytes) {
          const block = piece.subarray(from, Math.min(from + blockBytes, bytesRead));
          if (block.compare(zero, 0, block.length) === 0) continue;
          hash.update(`${at + from} ${block.length}\n`).update(block);
        }
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    op.check();
    throw fileError(error, `Saved file "${path}" cannot be read`);
  }
  return hash.digest("hex");
}

/** Digest of a tree as it would be written into a guest. */
export async function treeDigest(tree: AsyncIterable<TreeItem>): Promise<string> {
  const hash = createHash("sha256");
  for await (const item of tree) {
    if (item.kind === "data") hash.update(item.data);
    else hash.update(`\n${JSON.stringify(item)}\n`);
  }
  return hash.digest("hex");
}
