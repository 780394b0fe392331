import type { Op } from "../base/op.ts";

const everyMs = 100;

/** A reporter of bytes done, quiet enough to be called per chunk; the last byte is always told. */
export function meter(op: Op, label: string, total: number): (done: number) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (done) => {
    const now = op.clock.monotonic();
    if (done < total && now - last < everyMs) return;
    last = now;
    op.report({ kind: "amount", label, done, total, unit: "bytes" });
  };
}
