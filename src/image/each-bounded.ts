import { type Op, startOp } from "../base/op.ts";

/**
 * Runs `work` for every item, at most `atOnce` at a time. The first failure stops the others and is thrown
 * after they have ended, so nothing still writes behind the caller's back.
 */
export async function eachBounded<T>(
  op: Op,
  items: readonly T[],
  atOnce: number,
  work: (op: Op, item: T) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const { op: scoped, end } = startOp(op.path, {
    signal: AbortSignal.any([op.signal, stop.signal]),
    clock: op.clock,
    onProgress: (event) => op.report(event),
  });
  let next = 0;
  let failure: { readonly error: unknown } | null = null;
  const lane = async () => {
    while (failure === null && next < items.length) {
      const item = items[next++];
      if (item === undefined) continue;
      try {
        await work(scoped, item);
      } catch (error) {
        failure ??= { error };
        stop.abort(error);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  } finally {
    end();
  }
  const failed = failure as { readonly error: unknown } | null;
  if (failed !== null) throw failed.error;
}
