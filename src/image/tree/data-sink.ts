import type { SparseExtent } from "../tar/entry.ts";
import type { SparseLayout } from "./inodes.ts";

/** Where the contents of files go while layers are read: the image file that is being written. */
export interface DataSink {
  /** Makes room for a file of `size` bytes and returns its first block. */
  begin(size: number): number;
  /** The same for a file with holes. */
  beginSparse(size: number, extents: readonly SparseExtent[]): PlacedSparse;
  /** The next stored bytes of the file begun last. */
  write(chunk: Uint8Array, start: number, end: number): void;
  end(): void;
  /** The blocks of a file that is no more may be used again. */
  free(firstBlock: number, blockCount: number): void;
}

export interface PlacedSparse {
  readonly firstBlock: number;
  readonly layout: SparseLayout;
}
