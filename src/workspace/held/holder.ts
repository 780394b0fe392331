import { rm } from "node:fs/promises";
import { join } from "node:path";
import { CleanupStack } from "../../base/cleanup.ts";
import { errorJson } from "../../base/error-json.ts";
import { asMicroagentError, MicroagentError } from "../../base/errors.ts";
import { type Op, type ProgressListener, realClock, startOp } from "../../base/op.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { listenUnix } from "../../host/unix-socket.ts";
import type { DispatchResult } from "../dispatch.ts";
import type { Engine } from "../engine.ts";
import type { OutputSink } from "../run-command.ts";
import { ControlServer } from "./control-server.ts";
import { noteState } from "./events.ts";
import { type Hold, takeHold } from "./held-dir.ts";
import { HeldMachine } from "./held-machine.ts";
import type { RunOrder, StartOrder } from "./order.ts";
import {
  freshMachineDir,
  homeOf,
  machinePath,
  requireRecord,
  type WorkspaceRecord,
  writeRecord,
} from "./record.ts";
import { type StartedMachine, startMachine } from "./start-machine.ts";
import type { StateNote, WorkspaceState } from "./state.ts";

export const socketFile = "control.sock";

/** What a holder tells whoever started it, and learns from him. */
export interface Starter {
  readonly onOutput: OutputSink;
  readonly onProgress: ProgressListener;
  /** A one-shot run is over. */
  onResult(result: DispatchResult): Promise<void>;
  /** Ends a one-shot run in good order. */
  readonly cancel: AbortSignal;
  /** The workspace runs, and can be reached. */
  onReady(): Promise<void>;
  /** Ends the workspace in good order. */
  readonly stop: AbortSignal;
}

/**
 * Holds one workspace from its start to its end: the machine, its network, its ports and its lease are this
 * process's. Throws what kept it from running, `wrong_state` when somebody else holds it; a workspace that has run
 * ends in its state.
 */
export async function holdWorkspace(
  op: Op,
  engine: Engine,
  name: string,
  order: StartOrder,
  starter: Starter,
): Promise<void> {
  const { layout } = engine;
  await requireRecord(layout, name);
  const hold = await takeHold(op, layout, name);
  await using undo = new CleanupStack();
  undo.defer(() => hold.release());
  let startedAt: string | null = null;
  let written: Promise<void> = Promise.resolve();
  const note = (state: WorkspaceState, more: Partial<StateNote> = {}): Promise<void> => {
    const changedAt = new Date(realClock.now()).toISOString();
    const whole = { state, reason: null, error: null, changedAt, startedAt, ...more };
    // One after the other: the last word is the last one on the disk.
    const writing = written.then(() => noteState(layout, name, whole));
    written = writing.catch(() => {});
    return writing;
  };
  const failed = async (error: unknown) => {
    const known = asMicroagentError(error);
    await note("failed", { reason: known.message, error: errorJson(known) });
  };

  await note("starting");
  // What was opened for the machine goes before the last word about it is written.
  await using machine = new CleanupStack();
  // The machine outlives the op that it was started under.
  const { op: life, end } = startOp(name, { clock: op.clock });
  machine.defer(end);
  let held: HeldMachine;
  try {
    // Read under the hold: whoever held it before may have changed it.
    const before = await requireRecord(layout, name);
    // Back to a machine of its own: the disk that it has now stays until the other one runs.
    const isReturn = order.from?.workspace === name;
    const record = isReturn ? { ...before, machineDir: freshMachineDir(), isSetUp: true } : before;
    if (isReturn) undo.defer(() => removeUnused(layout, before, record));
    const started =
      order.run === null
        ? await startMachine(op, engine, record, hold, order, starter.onOutput, machine)
        : await runFirst(engine, record, hold, order.run, starter);
    machine.defer(() => started.workspace.close());
    if (isReturn) await writeRecord(layout, record);
    held = new HeldMachine(life, engine, started, record, note);
    const server = new ControlServer(held, life.clock);
    const socket = join(homeOf(layout, name), socketFile);
    const listener = await listenUnix(op, socket, server.take);
    machine.defer(async () => {
      await listener.close();
      server.close(new MicroagentError("closed", `Workspace "${name}" has ended`));
    });
    startedAt = new Date(realClock.now()).toISOString();
    await note("running");
    await starter.onReady();
    // A saved machine has its workload in it already, and a run has had it.
    if (order.from === null && order.run === null) held.startWorkload();
    const ttlSeconds = order.change.ttlSeconds ?? record.ttlSeconds ?? 0;
    if (ttlSeconds > 0) held.endWhenIdle(ttlSeconds);
  } catch (error) {
    await machine.run();
    await failed(error);
    throw error;
  }
  const stop = () => void held.haltOrKill("The process that holds it was asked to end");
  starter.stop.addEventListener("abort", stop, { once: true });
  if (starter.stop.aborted) stop();
  const outcome = await held.ended;
  await machine.run();
  await note(outcome.state, outcome);
}

async function runFirst(
  engine: Engine,
  record: WorkspaceRecord,
  hold: Hold,
  order: RunOrder,
  starter: Starter,
): Promise<StartedMachine> {
  const { runEnded, runMachine } = await import("./run-machine.ts");
  const { onOutput, onProgress, cancel: signal } = starter;
  const hooks = { onOutput, onProgress, signal };
  const { result, started } = await runMachine(engine, record, hold, order, hooks);
  await starter.onResult(result);
  if (started === null) throw runEnded(record.name);
  return started;
}

/** Removes the machine's directory that the record does not name. */
async function removeUnused(
  layout: StateLayout,
  ...records: readonly WorkspaceRecord[]
): Promise<void> {
  const [first] = records;
  if (first === undefined) return;
  const now = await requireRecord(layout, first.name);
  for (const each of records.filter(({ machineDir }) => machineDir !== now.machineDir)) {
    await rm(machinePath(layout, each), { recursive: true, force: true, maxRetries: 3 });
  }
}
