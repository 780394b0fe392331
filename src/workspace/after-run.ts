import { asMicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Clock, Op } from "../base/op.ts";
import { copyAudit } from "./audit-copy.ts";
import { type AuditReceipt, auditFileName, emptyReceipt } from "./audit-receipt.ts";
import { fetchDirectories } from "./directories.ts";
import type { DispatchRequest } from "./dispatch.ts";
import type { Interrupt } from "./ending.ts";
import { type CollectedOutputs, Collection, collectOutputs, nothingCollected } from "./outputs.ts";
import { settledWithin } from "./settled-within.ts";
import type { StartedRun } from "./templates/start-run.ts";
import type { RunTemplate } from "./templates/template.ts";
import type { Termination } from "./termination.ts";
import type { Workspace } from "./workspace.ts";

/** Outputs of a run that ended by itself, or of a guest that has stopped keeping to its bounds. */
const collectBound = { timeoutMs: limits.outputs.collectMs, interruptedMs: 2_000, leastMs: 1_000 };
const overrunCollectBound = { timeoutMs: 30_000, interruptedMs: 2_000, leastMs: 1_000 };
/** The rest of a template, when the run's command is over before it is written. */
const templateBound = { timeoutMs: 20_000, interruptedMs: 1_400, leastMs: 100 };
/** What is left of a guest's connections when it is cut off. */
const disconnectBound = { timeoutMs: 5_000, interruptedMs: 2_600, leastMs: 200 };
/** The end of the machine, which is stopped at last whatever it does. */
const tearDownBound = { timeoutMs: 60_000, interruptedMs: 4_300, leastMs: 500 };
/** A boot that was broken off gets this long to give back what it had taken. */
const bootUndoMs = 4_000;
/** Power-off of an interrupted run that is kept. */
const interruptedPowerOffMs = 400;

/** A boot that was broken off gives back what it had taken, before anybody may count on it. */
export async function bootUndone(clock: Clock, booting: Promise<Workspace> | null): Promise<void> {
  if (booting === null) return;
  const undone = booting.then(
    (late) => late.close(),
    () => {},
  );
  await settledWithin(clock, undone, bootUndoMs);
}

/** A run that is over but for its end. */
export interface EndingRun {
  readonly workspace: Workspace;
  readonly request: DispatchRequest;
  readonly interrupt: Interrupt;
}

/**
 * Outputs of a guest that may still answer; a dead one has none to give, and the run says why. A
 * guest that has overrun its bound gets less time. Never throws: what could not be had is incomplete.
 */
export async function collectAfter(
  op: Op,
  { workspace, request, interrupt }: EndingRun,
  end: Termination,
  overran: boolean,
): Promise<CollectedOutputs> {
  const { outputs, fetches } = request;
  const outputDir = outputs.length === 0 ? null : request.outputDir;
  if ((outputDir === null && fetches.length === 0) || guestIsGone(end)) return nothingCollected;
  const bound = overran ? overrunCollectBound : collectBound;
  const collection = new Collection();
  const collect = async (bounded: Op): Promise<CollectedOutputs> => {
    if (outputDir !== null) {
      await collectOutputs(bounded, workspace, outputs, outputDir, collection);
    }
    for (const { guestPath, error } of await fetchDirectories(bounded, workspace, fetches)) {
      collection.incomplete.push({ output: guestPath, error });
    }
    return collection.collected();
  };
  try {
    return await op.step("outputs", (step) => interrupt.give(step, bound, collect));
  } catch (error) {
    const known = asMicroagentError(error);
    const names = [
      ...(outputDir === null ? [] : outputs.map((output) => output.name)),
      ...fetches.map((fetch) => fetch.guestPath),
    ];
    return collection.brokenOff(names, known);
  }
}

/**
 * Sums up what the guest did on the network, and cuts it off unless it `stays`; the log goes where the outputs
 * go. A log that cannot be copied there is told as an incomplete output.
 */
export async function sumUp(
  op: Op,
  { workspace, request, interrupt }: EndingRun,
  outputs: CollectedOutputs,
  end: Termination,
  stays: boolean,
): Promise<{ readonly audit: AuditReceipt; readonly outputs: CollectedOutputs }> {
  const { attachments, directory } = workspace;
  const { outputDir } = request;
  const incompleteLog = (error: unknown): CollectedOutputs => {
    const entry = { output: auditFileName, error: asMicroagentError(error) };
    return { ...outputs, incomplete: [...outputs.incomplete, entry] };
  };
  const work = async (bounded: Op) => {
    if (!stays && canStay(end)) await workspace.lastBytes(bounded);
    const receipt = stays ? attachments.receipt() : attachments.close();
    const audit = await receiptWithin(bounded, receipt);
    if (outputDir === null) return { audit, outputs };
    try {
      await copyAudit(directory.path, outputDir);
      return { audit, outputs };
    } catch (error) {
      return { audit, outputs: incompleteLog(error) };
    }
  };
  try {
    return await op.step(stays ? "audit" : "disconnect", (step) =>
      interrupt.give(step, disconnectBound, work),
    );
  } catch (error) {
    return { audit: unknownReceipt, outputs: outputDir === null ? outputs : incompleteLog(error) };
  }
}

/** What of a template is still being written is waited for, because it lies in the workspace's directory. */
export async function templateAfter(
  op: Op,
  start: StartedRun | null,
  interrupt: Interrupt,
): Promise<RunTemplate | null> {
  if (start === null) return null;
  try {
    return await interrupt.give(op, templateBound, () => start.templateOf());
  } catch {
    return { key: null, how: "skipped", reason: "Writing the template took too long" };
  }
}

const unknownReceipt: AuditReceipt = {
  ...emptyReceipt,
  integrity: { problem: "The network did not close in time" },
};

/** The receipt of a network that closes in time; one that does not is never taken for a clean one. */
async function receiptWithin(op: Op, closing: Promise<AuditReceipt | null>): Promise<AuditReceipt> {
  try {
    return (await op.race(closing)) ?? emptyReceipt;
  } catch {
    return unknownReceipt;
  }
}

/** Whether there is a guest left to go on with, and somebody who wants it. */
export function canStay(end: Termination): boolean {
  return end.kind !== "interrupted" && end.kind !== "failed";
}

function guestIsGone(end: Termination): boolean {
  if (end.kind !== "failed") return false;
  const gone: readonly string[] = [
    "guest_crashed",
    "guest_powered_off",
    "machine_killed",
    "vmm_failed",
    "channel_closed",
    "protocol_violation",
  ];
  return gone.includes(end.error.code);
}

/** Ends the machine: in good order when its disks are kept. */
export async function tearDown(
  op: Op,
  { workspace, request, interrupt }: EndingRun,
  end: Termination,
): Promise<void> {
  const powerOffMs = end.kind === "interrupted" ? interruptedPowerOffMs : undefined;
  const work = async (bounded: Op): Promise<true> => {
    if (request.keep) await workspace.powerOff(bounded, powerOffMs);
    else await workspace.close();
    return true;
  };
  if (request.keep) workspace.directory.keep();
  await op
    .step("teardown", (step) => interrupt.give(step, tearDownBound, work))
    // It goes on by itself, and the end of this process ends what it has not.
    .catch(() => {});
}
