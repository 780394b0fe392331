import { rm } from "node:fs/promises";
import { join } from "node:path";
import { CleanupStack } from "../../base/cleanup.ts";
import { MicroagentError } from "../../base/errors.ts";
import { randomHex, safeNamePattern } from "../../base/ids.ts";
import type { Op } from "../../base/op.ts";
import { type AttachmentRequest, nothingAttached } from "../attachments.ts";
import type { BootRequest } from "../boot.ts";
import type { Engine } from "../engine.ts";
import { type Prepared, prepare } from "../prepare.ts";
import type { Workspace } from "../workspace.ts";
import type { OpenDirectory } from "../workspace-dir.ts";
import { broken } from "./broken.ts";
import { cloneSaved } from "./clone-saved.ts";
import { templateFormat, templateKey } from "./key.ts";
import type { Manifest } from "./manifest.ts";
import { publish, saveWorkspace, snapshotsOf } from "./save.ts";
import { findSaved, listSaved, removeSaved, type Stored } from "./store.ts";

/** A machine that a user has saved under a name. */
export interface Snapshot {
  readonly tag: string;
  readonly path: string;
  readonly createdAt: Date;
}

/** What a machine that is started from a snapshot has of its own. */
export interface SnapshotStart {
  readonly name: string;
  readonly hostname: string;
  /** Default: nothing. */
  readonly attach?: AttachmentRequest | undefined;
  /** Bounds start and first answer, in milliseconds. */
  readonly bootMs: number;
  /** As in `BootRequest`. */
  readonly directory?: OpenDirectory | undefined;
}

/**
 * Saves a live workspace under a name; it goes on afterwards, and so do the commands that run in it. The workspace must
 * have been booted `saveable`, or come from a template or snapshot. `name_taken`, `no_space`,
 * `host_unsupported`.
 */
export async function snapshotWorkspace(
  op: Op,
  engine: Engine,
  workspace: Workspace,
  tag: string,
  parent: string = engine.layout.snapshots,
): Promise<Snapshot> {
  checkTag(tag);
  if ((await findSaved(op, parent, tag)).kind !== "none") throw taken(tag);
  await using undo = new CleanupStack();
  const prepared = await prepare(op, engine, workspace.request, undo);
  const key = await keyOf(op, workspace.request, prepared, workspace);
  const saved = await op.step("save", (step) =>
    saveWorkspace(step, workspace, snapshotsOf(workspace)),
  );
  const isOurs = await publish(op, workspace, saved, { parent, name: tag, key, setup: [] });
  if (!isOurs) throw taken(tag);
  return { tag, path: join(parent, tag), createdAt: new Date(op.clock.now()) };
}

/**
 * Starts a machine from a snapshot. `snapshot_not_found`; `template_broken` when it is damaged or was saved
 * under another VMM, CPU, kernel or agent: nothing can build a snapshot anew.
 */
export async function startSnapshot(
  op: Op,
  engine: Engine,
  tag: string,
  start: SnapshotStart,
  parent: string = engine.layout.snapshots,
): Promise<Workspace> {
  const found = await findSaved(op, parent, tag);
  if (found.kind === "none") throw notFound(tag);
  if (found.kind === "broken") throw broken(found.reason);
  const boot = bootOf(found.manifest, start);
  await using undo = new CleanupStack();
  const prepared = await prepare(op, engine, boot, undo);
  if ((await keyOf(op, boot, prepared, null)) !== found.manifest.key) {
    throw broken("its VMM, CPU, kernel, image or agent is not the one of this host any more");
  }
  const use = { key: tag, how: "hit", reason: `Snapshot "${tag}"` } as const;
  return await cloneSaved(op, engine, prepared, { ...found, use }, boot);
}

/** Snapshots by their last use, the latest first. */
export async function listSnapshots(
  engine: Pick<Engine, "layout">,
  parent: string = engine.layout.snapshots,
): Promise<readonly Stored[]> {
  return await listSaved(parent);
}

/** Removes a snapshot; machines that were started from it go on. `snapshot_not_found`. */
export async function deleteSnapshot(
  engine: Pick<Engine, "layout">,
  tag: string,
  parent: string = engine.layout.snapshots,
): Promise<void> {
  checkTag(tag);
  if (!(await removeSaved(join(parent, tag)))) throw notFound(tag);
}

/**
 * Starts copies of a live workspace, one for each request, one after the other; it goes on itself. When one
 * of them fails, none is left.
 */
export async function forkWorkspace(
  op: Op,
  engine: Engine,
  workspace: Workspace,
  starts: readonly SnapshotStart[],
): Promise<readonly Workspace[]> {
  await using undo = new CleanupStack();
  const prepared = await prepare(op, engine, workspace.request, undo);
  const saved = await op.step("save", (step) =>
    saveWorkspace(step, workspace, snapshotsOf(workspace)),
  );
  // The copies have names of their own for the files by the time this one goes.
  undo.defer(() => rm(saved.dir, { recursive: true, force: true }));
  await using forks = new CleanupStack();
  const manifest = manifestOf(workspace, saved.saved);
  const use = { key: manifest.key, how: "hit", reason: `Fork of "${workspace.name}"` } as const;
  const started: Workspace[] = [];
  for (const start of starts) {
    const boot = requestOf(workspace.request, start);
    const source = { path: saved.dir, manifest, use };
    const fork = await cloneSaved(op, engine, prepared, source, boot);
    forks.defer(() => fork.close());
    started.push(fork);
  }
  forks.release();
  return started;
}

function requestOf(request: BootRequest, start: SnapshotStart): BootRequest {
  return {
    ...request,
    name: start.name,
    hostname: start.hostname,
    attach: start.attach ?? nothingAttached,
    bounds: { ...request.bounds, bootMs: start.bootMs },
    directory: start.directory,
  };
}

/** An image may take as long as it does when it has to be fetched again. */
const pullMs = 30 * 60_000;

function bootOf(manifest: Manifest, start: SnapshotStart): BootRequest {
  const { recipe, memoryMib, cpus, sizeMib, image } = manifest;
  return {
    name: start.name,
    hostname: start.hostname,
    image,
    pull: "missing",
    insecureRegistries: recipe.insecureRegistries,
    kernel: recipe.kernel ?? undefined,
    arch: recipe.arch ?? undefined,
    accel: recipe.accel,
    memoryMib,
    cpus,
    sizeMib,
    attach: start.attach ?? nothingAttached,
    bounds: { pullMs, bootMs: start.bootMs },
    directory: start.directory,
  };
}

async function keyOf(
  op: Op,
  boot: BootRequest,
  prepared: Prepared,
  workspace: Workspace | null,
): Promise<string> {
  const snapshots = workspace?.snapshots ?? prepared.choice.snapshots;
  if (snapshots === null) {
    throw new MicroagentError("host_unsupported", "Machines cannot be saved on this host");
  }
  const request = {
    boot: { ...boot, attach: nothingAttached },
    setup: [],
    shell: "",
    env: {},
    files: [],
    ready: null,
    setupTimeoutMs: 0,
  };
  return await templateKey(op, request, prepared, snapshots);
}

function manifestOf(workspace: Workspace, saved: Manifest["saved"]): Manifest {
  const { request, report } = workspace;
  return {
    format: templateFormat,
    id: randomHex(8),
    key: `fork-${workspace.name}`,
    createdAt: new Date(0).toISOString(),
    image: report.image.reference,
    setup: [],
    memoryMib: request.memoryMib,
    cpus: request.cpus,
    sizeMib: request.sizeMib,
    backend: report.supervisor,
    recipe: { insecureRegistries: [], kernel: null, arch: null, accel: request.accel },
    saved,
    files: [],
  };
}

function checkTag(tag: string): void {
  if (safeNamePattern.test(tag)) return;
  throw new MicroagentError("invalid_argument", `Snapshot name "${tag}" is not safe`, {
    hint: "Use letters, digits, dots, dashes and underscores",
  });
}

function taken(tag: string): MicroagentError {
  return new MicroagentError("name_taken", `Snapshot "${tag}" exists already`, {
    details: { tag },
  });
}

function notFound(tag: string): MicroagentError {
  return new MicroagentError("snapshot_not_found", `There is no snapshot "${tag}"`, {
    hint: "See what there is with: microagent snapshot list NAME",
    details: { tag },
  });
}
