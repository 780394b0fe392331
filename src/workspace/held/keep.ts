import { link, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import type { RunPlan } from "../../spec/plan.ts";
import type { Engine } from "../engine.ts";
import type { Manifest } from "../templates/manifest.ts";
import { snapshotWorkspace } from "../templates/snapshots.ts";
import { findSaved } from "../templates/store.ts";
import type { Workspace } from "../workspace.ts";
import { createBeside } from "./create.ts";
import { noteState } from "./events.ts";
import type { WorkspaceRecord } from "./record.ts";
import { snapshotsDir } from "./start-machine.ts";

/** The name under which a machine is kept, and why. */
export interface Keeping {
  /** Of the new workspace. */
  readonly name: string;
  /** Of its snapshot. */
  readonly tag: string;
  /** One sentence, for whoever finds it. */
  readonly reason: string;
}

/**
 * Makes a workspace of a live machine of this process, as it is now: its snapshot goes on in the middle of everything, its
 * disk is that of the same moment. `plan` says what the machine was asked to be. The machine itself goes on. `name_taken`,
 * `no_space`, `host_unsupported`.
 */
export async function keepAsWorkspace(
  op: Op,
  engine: Engine,
  live: Workspace,
  plan: RunPlan,
  { name, tag, reason }: Keeping,
): Promise<void> {
  const { layout } = engine;
  const like: WorkspaceRecord = {
    format: 1,
    name,
    createdAt: "",
    // What ran in it is in its memory: nothing is run anew by starting it.
    plan: { ...plan, provenance: { ...plan.provenance, command: "default" }, source: null },
    setup: [],
    files: [],
    imageDigest: live.report.image.digest,
    isSetUp: true,
    machineDir: "",
    durability: "disposable",
  };
  await createBeside(
    op,
    layout,
    like,
    name,
    (own) => own,
    async (machineDir) => {
      const parent = snapshotsDir(engine, name);
      const { path } = await snapshotWorkspace(op, engine, live, tag, parent);
      const found = await findSaved(op, parent, tag);
      if (found.kind === "whole") await shareDisks(path, found.manifest, machineDir);
      await noteKept(op, layout, name, reason);
    },
  );
}

/** Files of a snapshot never change, so the workspace's own disk may begin on them. */
async function shareDisks(from: string, manifest: Manifest, to: string): Promise<void> {
  try {
    await mkdir(to, { mode: 0o700 });
    for (const { path } of Object.values(manifest.saved.disks).flat()) {
      await link(join(from, path), join(to, path));
    }
  } catch (error) {
    throw fileError(error, `The disk of snapshot "${from}" cannot be shared`);
  }
}

async function noteKept(op: Op, layout: StateLayout, name: string, reason: string): Promise<void> {
  const changedAt = new Date(op.clock.now()).toISOString();
  await noteState(layout, name, {
    state: "halted",
    reason,
    error: null,
    changedAt,
    startedAt: null,
  });
}
