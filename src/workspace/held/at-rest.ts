import { CleanupStack } from "../../base/cleanup.ts";
import type { Op } from "../../base/op.ts";
import { collectLeases } from "../../host/lease.ts";
import { nothingAttached } from "../attachments.ts";
import type { Engine } from "../engine.ts";
import type { ReachableGuest } from "../reachable-guest.ts";
import { requestOf } from "../run-plan.ts";
import { attachWorkspace } from "./attach.ts";
import { readyMachineDir, takeHold } from "./held-dir.ts";
import { machinePath, requireRecord } from "./record.ts";
import { bootFromDisk } from "./start-machine.ts";
import { currentState, liveStates } from "./state.ts";

/** The agent has to end what it writes, and nothing else runs. */
const powerOffMs = 2_000;

/**
 * Does some work with the guest of a workspace, whether it runs or not. One that does not is booted for it from its disk by this
 * process, without network, secrets, setup and command, and powered off afterwards: its state stays what it was.
 */
export async function withGuestOf<T>(
  op: Op,
  engine: Engine,
  name: string,
  work: (guest: ReachableGuest) => Promise<T>,
): Promise<T> {
  const { layout } = engine;
  await requireRecord(layout, name);
  if (liveStates.includes((await currentState(layout, name)).state)) {
    await using workspace = await attachWorkspace(op, layout, name);
    return await work(workspace);
  }
  // Whoever held it and was killed may have left a lease.
  await collectLeases(op, layout);
  await using undo = new CleanupStack();
  const hold = await takeHold(op, layout, name);
  undo.defer(() => hold.release());
  const record = await requireRecord(layout, name);
  await readyMachineDir(machinePath(layout, record));
  const { boot } = requestOf(record.plan, { setup: [], files: [] });
  const request = {
    ...boot,
    pull: record.imageDigest === null ? boot.pull : ("missing" as const),
    attach: nothingAttached,
    directory: async () => hold.directory(record),
  };
  const workspace = await op.step("boot", (step) =>
    bootFromDisk(step, engine, record, request, undo),
  );
  undo.defer(() => workspace.close());
  const done = await work(workspace);
  // What was written is on the disk when the guest has gone.
  await workspace.agent.powerOff(op, powerOffMs);
  await op.race(workspace.exit);
  return done;
}
