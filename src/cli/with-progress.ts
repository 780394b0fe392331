import type { Op } from "../base/op.ts";
import { progressView } from "./render/progress.ts";
import { endingCodes, type Terminal } from "./terminal.ts";

/** Runs one operation with its progress shown and Ctrl-C turned into a cancellation. */
export async function withProgress<T>(
  terminal: Terminal,
  name: string,
  work: (op: Op) => Promise<T>,
): Promise<T> {
  const { withOp } = await import("../base/op.ts");
  const view = progressView(terminal);
  const controller = new AbortController();
  const stop = terminal.onSignal((signal) => {
    if (controller.signal.aborted) terminal.exitNow(endingCodes[signal]);
    terminal.exitCode = endingCodes[signal];
    controller.abort();
  });
  try {
    return await withOp(name, { signal: controller.signal, onProgress: view.listener }, work);
  } finally {
    view.clear();
    stop();
  }
}
