import { join } from "node:path";
import type { CleanupStack } from "../../base/cleanup.ts";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import { type BootRequest, boot } from "../boot.ts";
import type { DispatchRequest } from "../dispatch.ts";
import type { Engine } from "../engine.ts";
import { roomWithinLimit } from "../limited-room.ts";
import { prepare } from "../prepare.ts";
import type { OutputSink } from "../run-command.ts";
import { requestOf } from "../run-plan.ts";
import { runSetup } from "../setup.ts";
import type { Workspace } from "../workspace.ts";
import { type Hold, readyMachineDir } from "./held-dir.ts";
import type { StartOrder } from "./order.ts";
import { homeOf, machinePath, readCaptured, type WorkspaceRecord, writeRecord } from "./record.ts";

/** A workspace's machine, ready for its user. */
export interface StartedMachine {
  readonly workspace: Workspace;
  readonly request: DispatchRequest;
}

/** Setup of a workspace that says nothing about time. */
const setupMsMax = 60 * 60_000;

/**
 * Boots a workspace from the disk that it has, or starts it from a saved machine, and does what is still to be done in
 * it: setup until it has once succeeded, the files at every start. What it opens lasts until `undo` runs.
 */
export async function startMachine(
  op: Op,
  engine: Engine,
  record: WorkspaceRecord,
  hold: Hold,
  order: StartOrder,
  sink: OutputSink,
  undo: CleanupStack,
): Promise<StartedMachine> {
  const { layout } = engine;
  const request = requestOf(record.plan, await readCaptured(layout, record));
  await readyMachineDir(machinePath(layout, record));
  const changed: BootRequest = {
    ...request.boot,
    memoryMib: order.change.memoryMib ?? request.boot.memoryMib,
    cpus: order.change.cpus ?? request.boot.cpus,
    kernel: order.change.kernel ?? request.boot.kernel,
    // The disk fits one image: what a tag means by now does not matter.
    pull: record.imageDigest === null ? request.boot.pull : "missing",
    saveable: true,
    directory: async () => hold.directory(record),
  };
  const room = await op.step("room", (step) => roomWithinLimit(step, layout, changed), {
    timeoutMs: limits.machine.workspaceRoomMs,
  });
  undo.defer(async () => await room?.release());
  const workspace = await op.step("boot", (step) =>
    order.from === null
      ? bootFromDisk(step, engine, record, changed, undo)
      : startSaved(step, engine, changed, order.from),
  );
  undo.defer(() => workspace.close());
  const env = { ...workspace.attachments.env, ...request.env };
  if (!record.isSetUp && request.setup.length > 0) {
    await setUp(op, workspace, { ...request, env }, record, sink);
  }
  const { digest } = workspace.report.image;
  if (record.imageDigest !== digest || !record.isSetUp) {
    await writeRecord(layout, { ...record, imageDigest: digest, isSetUp: true });
  }
  await op.step("files", async (step) => {
    for (const file of request.files) await workspace.put(step, file.guestPath, file.tree());
  });
  return { workspace, request };
}

/** Boots the disk that a workspace has. `image_digest_mismatch` when its image is another one by now. */
export async function bootFromDisk(
  op: Op,
  engine: Engine,
  record: WorkspaceRecord,
  request: BootRequest,
  undo: CleanupStack,
): Promise<Workspace> {
  const prepared = await prepare(op, engine, request, undo);
  const { digest } = prepared.image;
  if (record.imageDigest !== null && record.imageDigest !== digest) {
    throw new MicroagentError(
      "image_digest_mismatch",
      `Workspace "${record.name}" was begun on image ${record.imageDigest}, and "${request.image}" is ${digest} now`,
      { hint: "Its disk fits the first one only: make a new workspace with microagent create" },
    );
  }
  return await boot(op, engine, request, prepared);
}

async function startSaved(
  op: Op,
  engine: Engine,
  request: BootRequest,
  from: NonNullable<StartOrder["from"]>,
): Promise<Workspace> {
  const { startSnapshot } = await import("../templates/snapshots.ts");
  const { name, hostname, attach, bounds, directory } = request;
  const start = { name, hostname, attach, bootMs: bounds.bootMs, directory };
  return await startSnapshot(op, engine, from.tag, start, snapshotsDir(engine, from.workspace));
}

/** Where the saved machines of a workspace are. */
export function snapshotsDir(engine: Pick<Engine, "layout">, name: string): string {
  return join(homeOf(engine.layout, name), "snapshots");
}

async function setUp(
  op: Op,
  workspace: Workspace,
  request: DispatchRequest,
  record: WorkspaceRecord,
  sink: OutputSink,
): Promise<void> {
  const isBounded = record.plan.provenance.timeoutSeconds === "flag";
  const deadline = op.clock.monotonic() + (isBounded ? request.timeoutMs : setupMsMax);
  const remainingMs = () => Math.max(1, deadline - op.clock.monotonic());
  const { setup: commands, shell, env } = request;
  const onRunning = () => {};
  await op.step(
    "setup",
    (step) => runSetup(step, workspace, { commands, shell, env, remainingMs, onRunning }, sink),
    { timeoutMs: remainingMs() + 10_000 },
  );
}
