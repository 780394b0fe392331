import type { Op } from "../../base/op.ts";
import { collectLeases } from "../../host/lease.ts";
import type { Engine } from "../engine.ts";
import { type AttachedWorkspace, attachWorkspace } from "./attach.ts";
import { createBeside, removeHome, withFreePorts } from "./create.ts";
import { type LaunchOptions, launchHolder } from "./launch.ts";
import type { StartChange } from "./order.ts";
import { requireRecord } from "./record.ts";
import { currentState, liveStates } from "./state.ts";
import { wrongState } from "./wrong-state.ts";

export interface StartOptions extends LaunchOptions {
  /** For this start only. */
  readonly change?: StartChange | undefined;
  /** Tag of a snapshot of its own to go back to, disk included, instead of booting. */
  readonly fromSnapshot?: string | undefined;
}

/**
 * Starts a workspace from the disk that it has, in a process of its own that outlives this one, and connects to it.
 * `wrong_state` when it runs already.
 */
export async function startWorkspace(
  op: Op,
  engine: Pick<Engine, "layout" | "launch">,
  name: string,
  options: StartOptions = {},
): Promise<AttachedWorkspace> {
  const { layout, launch } = engine;
  await requireRecord(layout, name);
  const { state } = await currentState(layout, name);
  if (liveStates.includes(state)) throw wrongState(name, state, "be started");
  // Whoever held it and was killed may have left a lease.
  await collectLeases(op, layout);
  const { change = {}, fromSnapshot: tag } = options;
  const order = { from: tag === undefined ? null : { workspace: name, tag }, change, run: null };
  try {
    await launchHolder(op, layout, name, order, launch, options);
  } catch (error) {
    // Deleted in the meantime, it fails for the lack of whatever is looked at first.
    await requireRecord(layout, name);
    throw error;
  }
  return await attachWorkspace(op, layout, name);
}

/** Names a saved machine of a workspace. */
export interface SnapshotName {
  readonly workspace: string;
  readonly tag: string;
}

/**
 * Makes a workspace of a saved machine of another one and starts it there: processes go on where they were, with an
 * identity of their own. `snapshot_not_found`, `template_broken`.
 */
export async function startFromSnapshot(
  op: Op,
  engine: Pick<Engine, "layout" | "launch">,
  from: SnapshotName,
  name: string,
  options: LaunchOptions & { readonly ttlSeconds?: number | undefined } = {},
): Promise<AttachedWorkspace> {
  const { layout, launch } = engine;
  const { ttlSeconds } = options;
  const source = await requireRecord(layout, from.workspace);
  await createBeside(
    op,
    layout,
    { ...source, isSetUp: true, ttlSeconds: ttlSeconds ?? source.ttlSeconds },
    name,
    withFreePorts,
  );
  try {
    await launchHolder(op, layout, name, { from, change: {}, run: null }, launch, options);
    return await attachWorkspace(op, layout, name);
  } catch (error) {
    await removeHome(layout, name);
    throw error;
  }
}
