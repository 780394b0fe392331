import type { ProgressListener } from "../../base/op.ts";

/** Shows how a long operation goes on; `clear` takes the transient line away before other output. */
export interface ProgressView {
  readonly listener: ProgressListener;
  clear(): void;
  /** As `clear`, and remembers whether the output will leave the cursor inside a line. */
  outputComes(data: Uint8Array): void;
}
