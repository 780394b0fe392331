import type { ExecRequest, ExecResult, Execution } from "../agent/exec.ts";
import type { Clock, Op } from "../base/op.ts";
import { settledWithin } from "./settled-within.ts";
import type { Workspace } from "./workspace.ts";

/** Which part of a run a chunk of output belongs to. */
export type Phase = "setup" | "run";

/** Takes output as it comes; a returned promise holds the guest back until it settles. */
export type OutputSink = (
  phase: Phase,
  stream: "stdout" | "stderr",
  data: Uint8Array,
) => void | Promise<void>;

/** A command on its way, for whoever has to end it when its op is over. */
export interface RunningCommand {
  readonly execution: Execution;
  /** Settles when the command has ended and its output was handed on. */
  readonly ended: Promise<unknown>;
}

/**
 * Runs one command to its end, handing its output on as it comes. When `op` ends first the command
 * still runs: `onRunning` has told the caller of it, for `windDown`.
 */
export async function runCommand(
  op: Op,
  workspace: Workspace,
  phase: Phase,
  request: ExecRequest,
  sink: OutputSink,
  onRunning: (command: RunningCommand) => void,
): Promise<ExecResult> {
  const execution = await workspace.exec(op, request);
  const ended = (async () => {
    for await (const chunk of execution.output) await sink(phase, chunk.stream, chunk.data);
    return await execution.result;
  })();
  ended.catch(() => {});
  onRunning({ execution, ended });
  const doing = phase === "setup" ? "running setup" : "running the command";
  return await workspace.explaining(doing, op.race(ended));
}

/** An interrupted command may take this long to put its affairs in order. */
const windDownMs = 1_200;

/** Asks a command to stop, gives it a moment to flush what it has, then ends its whole group. */
export async function windDown(
  clock: Clock,
  command: RunningCommand,
  stopSignal: string,
): Promise<void> {
  command.execution.signal(stopSignal);
  await settledWithin(clock, command.ended, windDownMs);
  // The guest kills the group when the stream goes; a command that has ended does not mind.
  command.execution.kill();
}
