import { asMicroagentError } from "../base/errors.ts";
import { type Clock, type Op, startOp } from "../base/op.ts";
import { copyAudit } from "./audit-copy.ts";
import { type AuditReceipt, auditFileName, emptyReceipt } from "./audit-receipt.ts";
import { fetchDirectories } from "./directories.ts";
import type { DispatchRequest } from "./dispatch.ts";
import { type CollectedOutputs, collectOutputs, nothingCollected } from "./outputs.ts";
import { settledWithin } from "./settled-within.ts";
import type { StartedRun } from "./templates/start-run.ts";
import type { RunTemplate } from "./templates/template.ts";
import type { Termination } from "./termination.ts";
import type { Workspace } from "./workspace.ts";

/** An interrupted run gets this long to bring its outputs out. */
const interruptedCollectMs = 2_500;
/** Outputs of a run that ended by itself. */
const collectMs = 30 * 60_000;
/** Outputs of a guest that has stopped keeping to its bounds. */
const overrunCollectMs = 30_000;
/** A boot that was broken off gets this long to give back what it had taken. */
const bootUndoMs = 4_000;
/** The rest of a template, when the run's command is over before it is written. */
const templateMs = 20_000;
/** What is left of a guest's connections when it is cut off. */
const disconnectMs = 5_000;
/** Power-off of an interrupted run that is kept. */
const interruptedPowerOffMs = 500;

/** A boot that was broken off gives back what it had taken, before anybody may count on it. */
export async function bootUndone(clock: Clock, booting: Promise<Workspace> | null): Promise<void> {
  if (booting === null) return;
  const undone = booting.then(
    (late) => late.close(),
    () => {},
  );
  await settledWithin(clock, undone, bootUndoMs);
}

/**
 * Outputs of a guest that may still answer; a dead one has none to give, and the run says why. A
 * guest that has overrun its bound gets less time.
 */
export async function collectAfter(
  op: Op,
  workspace: Workspace,
  request: DispatchRequest,
  end: Termination,
  overran: boolean,
): Promise<CollectedOutputs> {
  const { outputs, fetches } = request;
  const outputDir = outputs.length === 0 ? null : request.outputDir;
  if ((outputDir === null && fetches.length === 0) || guestIsGone(end)) return nothingCollected;
  const ordinaryMs = overran ? overrunCollectMs : collectMs;
  const timeoutMs = end.kind === "interrupted" ? interruptedCollectMs : ordinaryMs;
  const { op: bounded, end: release } = startOp(`${op.path}/outputs`, {
    timeoutMs,
    clock: op.clock,
  });
  try {
    return await op.step("outputs", async () => {
      const collected =
        outputDir === null
          ? nothingCollected
          : await collectOutputs(bounded, workspace, outputs, outputDir);
      const losses = await fetchDirectories(bounded, workspace, fetches);
      const lost = losses.map(({ guestPath, error }) => ({ output: guestPath, error }));
      return { ...collected, incomplete: [...collected.incomplete, ...lost] };
    });
  } finally {
    release();
  }
}

/**
 * Sums up what the guest did on the network, and cuts it off unless it `stays`; the log goes where the outputs
 * go. A log that cannot be copied there is told as an incomplete output.
 */
export async function sumUp(
  op: Op,
  workspace: Workspace,
  outputDir: string | null,
  outputs: CollectedOutputs,
  stays: boolean,
): Promise<{ readonly audit: AuditReceipt; readonly outputs: CollectedOutputs }> {
  const { attachments, directory } = workspace;
  return await op.step(stays ? "audit" : "disconnect", async () => {
    const receipt = stays ? attachments.receipt() : attachments.close();
    const audit = await receiptWithin(op.clock, receipt);
    if (outputDir === null) return { audit, outputs };
    try {
      await copyAudit(directory.path, outputDir);
      return { audit, outputs };
    } catch (error) {
      const entry = { output: auditFileName, error: asMicroagentError(error) };
      return { audit, outputs: { ...outputs, incomplete: [...outputs.incomplete, entry] } };
    }
  });
}

/** What of a template is still being written is waited for, because it lies in the workspace's directory. */
export async function templateAfter(op: Op, start: StartedRun | null): Promise<RunTemplate | null> {
  if (start === null) return null;
  const template = start.templateOf();
  await settledWithin(op.clock, template, templateMs);
  const late = { key: null, how: "skipped", reason: "Writing the template took too long" } as const;
  return await Promise.race([template, Promise.resolve(late)]);
}

/** The receipt of a network that closes in time; one that does not is never taken for a clean one. */
async function receiptWithin(
  clock: Clock,
  closing: Promise<AuditReceipt | null>,
): Promise<AuditReceipt> {
  const closed = closing.then((receipt) => receipt ?? emptyReceipt);
  const receipt = await settledWithin(clock, closed, disconnectMs);
  const problem = `The network did not close within ${disconnectMs} ms`;
  return receipt ?? { ...emptyReceipt, integrity: { problem } };
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
  workspace: Workspace,
  keep: boolean,
  end: Termination,
): Promise<void> {
  await op.step("teardown", async (step) => {
    if (keep) {
      workspace.directory.keep();
      await workspace.powerOff(
        step,
        end.kind === "interrupted" ? interruptedPowerOffMs : undefined,
      );
    } else {
      await workspace.close();
    }
  });
}
