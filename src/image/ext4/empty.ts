import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { OutputFile } from "../disk/output-file.ts";
import { uuidOf } from "../disk/seed-uuid.ts";
import { fileType } from "../tree/inodes.ts";
import { BlockAllocator } from "./allocator.ts";
import { DirectoryBlocks } from "./directory-block.ts";
import { buildExtentTree } from "./extents.ts";
import { ext4, inodePosition, planGeometry } from "./geometry.ts";
import { encodeInode } from "./inode.ts";
import { writeFrame } from "./write-frame.ts";

export interface EmptyExt4Options {
  /** Volume name, at most 16 bytes. */
  readonly label?: string;
  /** 16 bytes; the same for equal labels and sizes when it is left out. */
  readonly uuid?: Uint8Array;
}

const bytesPerInode = 16 * 1024;
export const emptyExt4BytesMin: number = 1024 * 1024;

/**
 * Makes an empty ext4 file system in a sparse file (created or overwritten, 0600): no journal, a
 * lost+found, writable by Linux 6.1. It takes milliseconds, whatever the size, as nothing but its
 * outline is written. Fails with `invalid_argument` below 1 MiB and `no_space`.
 */
export async function makeEmptyExt4(
  op: Op,
  outPath: string,
  sizeBytes: number,
  options: EmptyExt4Options = {},
): Promise<void> {
  if (!(sizeBytes >= emptyExt4BytesMin)) {
    throw new MicroagentError(
      "invalid_argument",
      `A disk of ${sizeBytes} bytes is too small for ext4, which wants at least ${emptyExt4BytesMin}`,
    );
  }
  const label = options.label ?? "";
  const seed = `${label} ${sizeBytes}`;
  const geometry = planGeometry(sizeBytes, Math.max(64, Math.floor(sizeBytes / bytesPerInode)));
  const allocator = new BlockAllocator(geometry);
  const output = await OutputFile.create(outPath);
  try {
    const writeDirectory = (
      inode: number,
      mode: number,
      links: number,
      names: [string, number][],
    ) => {
      const blocks = new DirectoryBlocks();
      for (const [name, target] of names) {
        blocks.add({ name: Buffer.from(name), inode: target, type: fileType.directory >> 12 });
      }
      const start = allocator.takeOne();
      const tree = buildExtentTree([{ logical: 0, start, count: 1 }], () => 0);
      output.put(start * ext4.blockBytes, blocks.finish());
      output.put(
        inodePosition(geometry, inode),
        encodeInode({
          mode: fileType.directory | mode,
          uid: 0,
          gid: 0,
          size: ext4.blockBytes,
          links,
          mtimeSeconds: 0,
          mtimeNanoseconds: 0,
          blocks: 1,
          usesExtents: true,
          blockArea: tree.root,
          xattrBlock: 0,
          xattrArea: new Uint8Array(0),
        }),
      );
    };
    const { rootInode: root, lostFoundInode: lost } = ext4;
    writeDirectory(root, 0o755, 3, [
      [".", root],
      ["..", root],
      ["lost+found", lost],
    ]);
    writeDirectory(lost, 0o700, 2, [
      [".", lost],
      ["..", root],
    ]);
    await writeFrame(op, output, {
      geometry,
      usage: { nextBlock: allocator.nextBlock, lastInode: lost, directories: new Map([[0, 2]]) },
      uuid: options.uuid ?? uuidOf("ext4-empty", seed),
      hashSeed: uuidOf("ext4-empty-hash", seed),
      label,
    });
    await output.finish(op, Math.floor(sizeBytes / ext4.blockBytes) * ext4.blockBytes);
  } finally {
    await output.close();
  }
}
