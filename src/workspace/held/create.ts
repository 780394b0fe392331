import { link, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { CleanupStack } from "../../base/cleanup.ts";
import { randomHex } from "../../base/ids.ts";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";
import { isThere } from "../../host/is-there.ts";
import { listLeases } from "../../host/lease.ts";
import { withLock } from "../../host/lock.ts";
import { ensurePrivateDir, type StateLayout } from "../../host/state-layout.ts";
import { captureFiles } from "../../spec/capture-files.ts";
import { hostnameFrom } from "../../spec/merge.ts";
import type { RunPlan } from "../../spec/plan.ts";
import { unsupportedError } from "../../spec/unsupported.ts";
import type { Engine } from "../engine.ts";
import { checkHostRoom } from "../host-room.ts";
import { prepare } from "../prepare.ts";
import { requestOf } from "../run-plan.ts";
import { lockOf, nameTaken } from "./held-dir.ts";
import {
  capturedDir,
  freshMachineDir,
  homeOf,
  keepCaptured,
  type WorkspaceRecord,
  writeRecord,
} from "./record.ts";

/**
 * Makes a workspace of a plan: fetches its image and kernel, reads its host files, records all of it, and starts
 * nothing. `name_taken`.
 */
export async function createWorkspace(
  op: Op,
  engine: Engine,
  plan: RunPlan,
  options: { readonly ttlSeconds?: number | undefined } = {},
): Promise<WorkspaceRecord> {
  const refusal = unsupportedError(plan);
  if (refusal !== null) throw refusal;
  checkHostRoom(plan);
  const { layout } = engine;
  await checkFree(layout, plan.name);
  const captured = await op.step("capture", (step) => captureFiles(step, plan));
  await using undo = new CleanupStack();
  const { boot } = requestOf(plan, captured);
  const { image } = await prepare(op, engine, boot, undo);
  return await claim(op, layout, plan.name, async () => {
    return await writeFresh(op, layout, plan, {
      setup: captured.setup,
      files: await keepCaptured(layout, plan.name, captured),
      imageDigest: image.digest,
      isSetUp: captured.setup.length === 0,
      durability: "durable",
      ttlSeconds: options.ttlSeconds ?? 0,
    });
  });
}

/**
 * Takes a name for a one-shot run that leaves its machine: whatever the plan asks for is fetched and read by the run.
 * Once it has run, the workspace waits for commands. `name_taken`.
 */
export async function reserveWorkspace(
  op: Op,
  layout: StateLayout,
  plan: RunPlan,
  ttlSeconds = 0,
): Promise<WorkspaceRecord> {
  return await claim(op, layout, plan.name, async () => {
    const provenance = { ...plan.provenance, command: "default" as const };
    return await writeFresh(
      op,
      layout,
      { ...plan, provenance },
      {
        setup: [],
        files: [],
        imageDigest: null,
        isSetUp: false,
        // It is to last for a job, not for the next power cut.
        durability: "disposable",
        ttlSeconds,
      },
    );
  });
}

/**
 * Makes a workspace like another one, under a name of its own and without anything on its disk; `fill` puts there what
 * is to be in its machine's directory, which does not exist yet.
 */
export async function createBeside(
  op: Op,
  layout: StateLayout,
  from: WorkspaceRecord,
  name: string,
  change: (plan: RunPlan) => RunPlan,
  fill: (machineDir: string) => Promise<void> = async () => {},
): Promise<WorkspaceRecord> {
  return await claim(op, layout, name, async () => {
    const plan = change({ ...from.plan, name, hostname: hostnameFrom(name) });
    const createdAt = new Date(op.clock.now()).toISOString();
    const record = { ...from, name, createdAt, plan, machineDir: freshMachineDir() };
    await shareCaptured(layout, from, name);
    await fill(join(homeOf(layout, name), record.machineDir));
    await writeRecord(layout, record);
    return record;
  });
}

/** The plan of a copy: what it published, it publishes where there is room. */
export function withFreePorts(plan: RunPlan): RunPlan {
  const forwards = plan.network.forwards.map((each) => ({ ...each, hostPort: 0 }));
  return { ...plan, network: { ...plan.network, forwards } };
}

/** Removes what `createWorkspace` and its like have made, in one step for everybody who looks. */
export async function removeHome(layout: StateLayout, name: string): Promise<boolean> {
  await ensurePrivateDir(layout.runtime);
  // A collection finishes what is interrupted here.
  const doomed = join(layout.runtime, `${name}.removed-${randomHex(4)}`);
  try {
    await rename(homeOf(layout, name), doomed);
  } catch {
    return false;
  }
  await rm(doomed, { recursive: true, force: true, maxRetries: 3 });
  return true;
}

async function claim(
  op: Op,
  layout: StateLayout,
  name: string,
  fill: () => Promise<WorkspaceRecord>,
): Promise<WorkspaceRecord> {
  await ensurePrivateDir(layout.workspaces);
  return await withLock(op, lockOf(layout, name), async () => {
    await checkFree(layout, name);
    const home = homeOf(layout, name);
    try {
      await mkdir(home, { mode: 0o700 });
    } catch (error) {
      throw fileError(error, `Workspace directory "${home}" cannot be made`);
    }
    try {
      return await fill();
    } catch (error) {
      await rm(home, { recursive: true, force: true, maxRetries: 3 });
      throw error;
    }
  });
}

async function checkFree(layout: StateLayout, name: string): Promise<void> {
  const isTaken = await isThere(homeOf(layout, name));
  const leases = await listLeases(layout);
  const isHeld = leases.some((each) => each.workspace === name && each.ownerAlive);
  if (isTaken || isHeld) throw nameTaken(name);
}

async function shareCaptured(
  layout: StateLayout,
  from: WorkspaceRecord,
  name: string,
): Promise<void> {
  const source = join(homeOf(layout, from.name), capturedDir);
  const target = join(homeOf(layout, name), capturedDir);
  if (from.files.length > 0) await mkdir(target, { mode: 0o700 });
  for (const index of from.files.keys()) {
    await link(join(source, `${index}`), join(target, `${index}`)).catch((error: unknown) => {
      throw fileError(error, `File "${join(source, `${index}`)}" cannot be shared`);
    });
  }
}

async function writeFresh(
  op: Op,
  layout: StateLayout,
  plan: RunPlan,
  own: Omit<WorkspaceRecord, "format" | "name" | "createdAt" | "plan" | "machineDir">,
): Promise<WorkspaceRecord> {
  const record: WorkspaceRecord = {
    format: 1,
    name: plan.name,
    createdAt: new Date(op.clock.now()).toISOString(),
    // What of a plan is worth keeping: its source and the notes about it were for whoever wrote it.
    plan: { ...plan, source: null, given: [], notes: [] },
    machineDir: freshMachineDir(),
    ...own,
  };
  await writeRecord(layout, record);
  return record;
}
