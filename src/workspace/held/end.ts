import { asMicroagentError, MicroagentError } from "../../base/errors.ts";
import { type Op, realClock } from "../../base/op.ts";
import { isThere } from "../../host/is-there.ts";
import { collectLeases, killOwner, listLeases } from "../../host/lease.ts";
import { withLock } from "../../host/lock.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { attachWorkspace, haltMs } from "./attach.ts";
import { removeHome } from "./create.ts";
import { noteState } from "./events.ts";
import { lockOf } from "./held-dir.ts";
import { homeOf, readRecord, requireRecord } from "./record.ts";
import { type CurrentState, currentState, liveStates } from "./state.ts";
import { wrongState } from "./wrong-state.ts";

const pollMs = 50;
/** What a holder may take to end its machine before it is ended itself. */
const killMs = 5_000;

/**
 * Powers a workspace off in good order and waits until it is held by nobody. One that does not run stays as it is.
 * `timeout` when the guest will not go.
 */
export async function haltWorkspace(
  op: Op,
  layout: StateLayout,
  name: string,
  options: { readonly reason?: string | null; readonly withinMs?: number } = {},
): Promise<CurrentState> {
  const before = await currentState(layout, (await requireRecord(layout, name)).name);
  if (!liveStates.includes(before.state)) return before;
  const withinMs = options.withinMs ?? haltMs;
  await using workspace = await attachWorkspace(op, layout, name);
  await workspace.halt(op, { reason: options.reason ?? null, withinMs }).catch((error: unknown) => {
    // The machine may be gone before its process could say so.
    const { code } = asMicroagentError(error);
    if (code !== "wrong_state" && code !== "channel_closed") throw error;
  });
  return await waitWorkspace(op, layout, name);
}

/** Ends a workspace's machine at once, with its process where that does not listen. */
export async function killWorkspace(
  op: Op,
  layout: StateLayout,
  name: string,
  reason: string | null,
): Promise<CurrentState> {
  const before = await currentState(layout, (await requireRecord(layout, name)).name);
  if (!liveStates.includes(before.state)) return before;
  try {
    await op.step(
      "kill",
      async (step) => {
        await using workspace = await attachWorkspace(step, layout, name);
        await workspace.kill(step, reason).catch(() => {});
        await waitWorkspace(step, layout, name);
      },
      { timeoutMs: killMs },
    );
  } catch {
    op.check();
    await killHolder(op, layout, name);
    const changedAt = new Date(realClock.now()).toISOString();
    const { startedAt } = before;
    await noteState(layout, name, { state: "stopped", reason, error: null, changedAt, startedAt });
  }
  return await currentState(layout, name);
}

async function killHolder(op: Op, layout: StateLayout, name: string): Promise<void> {
  for (const lease of await listLeases(layout)) {
    if (lease.workspace === name && lease.ownerAlive) await killOwner(op, lease);
  }
  await collectLeases(op, layout);
}

/** Waits until nobody holds a workspace: until it has ended, or when it never ran. */
export async function waitWorkspace(
  op: Op,
  layout: StateLayout,
  name: string,
): Promise<CurrentState> {
  await requireRecord(layout, name);
  for (;;) {
    const now = await currentState(layout, name);
    if (now.holder === null && !liveStates.includes(now.state)) return now;
    await op.sleep(pollMs);
  }
}

export interface DeleteOptions {
  /** End a workspace that runs, in good order; without this and `force` it is refused. */
  readonly halt?: boolean | undefined;
  /** End it at once, whatever state it is in. */
  readonly force?: boolean | undefined;
  readonly reason?: string | null | undefined;
}

/**
 * Removes a workspace with its disk and its snapshots; false when there was none. `wrong_state` when it runs and
 * nothing was said about that.
 */
export async function deleteWorkspace(
  op: Op,
  layout: StateLayout,
  name: string,
  options: DeleteOptions = {},
): Promise<boolean> {
  if (!(await isThere(homeOf(layout, name)))) return await refuseRun(layout, name);
  const record = await readRecord(layout, name).catch((error: unknown) => {
    // A damaged record is no reason to keep what it was about, for whoever insists.
    if (options.force === true) return null;
    throw error;
  });
  if (record !== null) await end(op, layout, name, options);
  else await killHolder(op, layout, name);
  return await withLock(op, lockOf(layout, name), () => removeHome(layout, name));
}

async function end(
  op: Op,
  layout: StateLayout,
  name: string,
  { halt = false, force = false, reason = null }: DeleteOptions,
): Promise<void> {
  for (;;) {
    const { state, holder } = await currentState(layout, name);
    if (liveStates.includes(state)) {
      if (!halt && !force) throw runs(name, state);
      if (force) await killWorkspace(op, layout, name, reason);
      else await haltWorkspace(op, layout, name, { reason });
    } else if (holder === null) break;
    // Somebody is about to start it, or has just ended it.
    else await op.sleep(pollMs);
  }
  // A machine whose holder was killed may still be on its way out.
  await collectLeases(op, layout);
}

function runs(name: string, state: CurrentState["state"]): MicroagentError {
  const { message, details } = wrongState(name, state, "be deleted");
  const hint = `End it first with --yes (in good order) or --force (at once): microagent delete ${name} --yes`;
  return new MicroagentError("wrong_state", message, { hint, details });
}

/** A one-shot run has its name, but its end is not ours to decide. */
async function refuseRun(layout: StateLayout, name: string): Promise<false> {
  const leases = await listLeases(layout);
  const run = leases.find((each) => each.workspace === name && each.ownerAlive);
  if (run === undefined) return false;
  throw new MicroagentError(
    "wrong_state",
    `Workspace "${name}" is a one-shot run of process ${run.owner.pid}, which removes it when it ends`,
    { details: { name, ownerPid: run.owner.pid } },
  );
}
