import { join } from "node:path";
import { CleanupStack } from "../../base/cleanup.ts";
import { errorJson } from "../../base/error-json.ts";
import { asMicroagentError, MicroagentError } from "../../base/errors.ts";
import { type Op, realClock, startOp } from "../../base/op.ts";
import { listenUnix } from "../../host/unix-socket.ts";
import type { Engine } from "../engine.ts";
import type { OutputSink } from "../run-command.ts";
import { ControlServer } from "./control-server.ts";
import { takeHold } from "./held-dir.ts";
import { HeldMachine } from "./held-machine.ts";
import type { StartOrder } from "./order.ts";
import { homeOf, requireRecord } from "./record.ts";
import { startMachine } from "./start-machine.ts";
import { type StateNote, type WorkspaceState, writeState } from "./state.ts";

export const socketFile = "control.sock";

/** What a holder tells whoever started it, and learns from him. */
export interface Starter {
  readonly onOutput: OutputSink;
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
    const writing = written.then(() => writeState(layout, name, whole));
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
    const record = await requireRecord(layout, name);
    const started = await startMachine(op, engine, record, hold, order, starter.onOutput, machine);
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
    // A saved machine has its workload in it already.
    if (order.from === null) held.startWorkload();
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
