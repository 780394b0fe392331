import { ext4 } from "./geometry.ts";

/** A name in a directory and what it names; `type` is the 4 type bits of the mode. */
export interface DirectoryEntry {
  readonly name: Buffer;
  readonly inode: number;
  readonly type: number;
}

const entryHeaderBytes = 8;
/** By the type bits of a mode shifted right by 12. */
const entryTypes: readonly number[] = [0, 5, 3, 0, 2, 0, 4, 0, 1, 0, 7, 0, 6];

/** Packs names into directory blocks one after the other; every block is filled to its end. */
export class DirectoryBlocks {
  readonly #blocks: Buffer[] = [];
  #used = 0;
  /** Where the last entry of the current block starts. */
  #lastAt = 0;

  add(entry: DirectoryEntry): void {
    const bytes = entryHeaderBytes + Math.ceil(entry.name.length / 4) * 4;
    let block = this.#blocks.at(-1);
    if (block === undefined || this.#used + bytes > ext4.blockBytes) {
      this.#stretchLast();
      block = Buffer.alloc(ext4.blockBytes);
      this.#blocks.push(block);
      this.#used = 0;
    }
    this.#lastAt = this.#used;
    block.writeUInt32LE(entry.inode, this.#used);
    block.writeUInt16LE(bytes, this.#used + 4);
    block.writeUInt8(entry.name.length, this.#used + 6);
    block.writeUInt8(entryTypes[entry.type] ?? 0, this.#used + 7);
    block.set(entry.name, this.#used + entryHeaderBytes);
    this.#used += bytes;
  }

  /** All blocks, joined. */
  finish(): Buffer {
    this.#stretchLast();
    return Buffer.concat(this.#blocks);
  }

  #stretchLast(): void {
    this.#blocks.at(-1)?.writeUInt16LE(ext4.blockBytes - this.#lastAt, this.#lastAt + 4);
  }
}
