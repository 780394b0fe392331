import type { ExecRequest, ExecResult, Execution } from "../agent/exec.ts";
import type { Clock, Op } from "../base/op.ts";
import type { Workspace } from "./workspace.ts";

/** Which part of a run a chunk of output belongs to. */
export type Phase = "setup" | "run";

/** Takes output as it comes; a returned promise holds the guest back until it settles. */
export type OutputSink = (
  phase: Phase,
  stream: "stdout" | "stderr",
  data: Uint8Array,
) => void | Promise<void>;

/** An interrupted command may take this long to put its affairs in order. */
const windDownMs = 1_000;

/** Runs one command to its end, handing its output on as it comes. */
export async function runCommand(
  op: Op,
  workspace: Workspace,
  phase: Phase,
  request: ExecRequest,
  sink: OutputSink,
  stopSignal = "SIGTERM",
): Promise<ExecResult> {
  const execution = await workspace.exec(op, request);
  const ended = (async () => {
    for await (const chunk of execution.output) await sink(phase, chunk.stream, chunk.data);
    return await execution.result;
  })();
  ended.catch(() => {});
  try {
    const doing = phase === "setup" ? "running setup" : "running the command";
    return await workspace.explaining(doing, op.race(ended));
  } catch (error) {
    if (op.signal.aborted) await windDown(op.clock, execution, ended, stopSignal);
    // Nobody waits for it any more: the guest kills the whole group when the stream goes.
    execution.kill();
    throw error;
  }
}

/** Asks the command to stop and gives it a moment, so that it can flush what it has. */
async function windDown(
  clock: Clock,
  execution: Execution,
  ended: Promise<unknown>,
  stopSignal: string,
): Promise<void> {
  execution.signal(stopSignal);
  await new Promise<void>((resolve) => {
    const cancel = clock.after(windDownMs, resolve);
    const done = () => {
      cancel();
      resolve();
    };
    ended.then(done, done);
  });
}
