import type { Op, ProgressListener } from "../base/op.ts";
import { interruptionOf } from "./interruption.ts";
import { progressView } from "./render/progress.ts";
import type { Terminal } from "./terminal.ts";

/** What broken-off work gets to remove what it had half made. */
const undoMs = 4_000;

/** Runs one operation with its progress shown, as `interruptibly` does. */
export async function withProgress<T>(
  terminal: Terminal,
  name: string,
  work: (op: Op) => Promise<T>,
): Promise<T> {
  const view = progressView(terminal);
  try {
    return await interruptibly(terminal, name, work, view.listener);
  } finally {
    view.clear();
  }
}

/** Runs one operation that a signal ends. It is over when what it undoes then is undone. */
export async function interruptibly<T>(
  terminal: Terminal,
  name: string,
  work: (op: Op) => Promise<T>,
  listener: ProgressListener = () => {},
): Promise<T> {
  const interruption = interruptionOf(terminal);
  const { startOp } = await import("../base/op.ts");
  const { op, end, watch, settled } = startOp(name, {
    signal: interruption.signal,
    onProgress: interruption.watching(listener),
  });
  try {
    op.check();
    return await watch(work(op));
  } catch (error) {
    if (op.signal.aborted) await settled(undoMs);
    throw error;
  } finally {
    end();
  }
}
