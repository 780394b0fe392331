import type { MicroagentError } from "../base/errors.ts";

/** What a guest's tree became on the host. */
export interface TreeManifest {
  readonly files: readonly WrittenFile[];
  /** Directories in the tree, its root included. */
  readonly directories: number;
  /** Entries that were not created: links, devices, refused names, unreadable files. As many as the budget records. */
  readonly skipped: readonly SkippedEntry[];
  /** All of them, recorded or not. */
  readonly skippedCount: number;
  /** Content of the files, holes included. */
  readonly bytes: number;
  /**
   * Why the tree is not complete, null when it is: `no_space`, `output_refused` (a cap), the reason
   * the transfer ended, or the op's. The files listed are whole in any case.
   */
  readonly failure: MicroagentError | null;
}

export interface WrittenFile {
  /** Relative to the tree's root, with forward slashes. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal; null for a file whose holes are too large to be hashed. */
  readonly sha256: string | null;
  /** Permission bits in the guest; the host's copy is never writable by others. */
  readonly mode: number;
}

export interface SkippedEntry {
  /** As the guest named it, control characters escaped, shortened. */
  readonly path: string;
  readonly type: string;
  /** One sentence. */
  readonly reason: string;
}
