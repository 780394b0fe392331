import { link, mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";
import { runTool } from "../../host/run-tool.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { createBeside } from "./create.ts";
import { diskIn } from "./disk.ts";
import { takeHold } from "./held-dir.ts";
import { machinePath, requireRecord, type WorkspaceRecord } from "./record.ts";
import { currentState, liveStates } from "./state.ts";
import { wrongState } from "./wrong-state.ts";

/** Copies a workspace that does not run, its disk included, under another name. `name_taken`, `wrong_state`. */
export async function cloneWorkspace(
  op: Op,
  layout: StateLayout,
  source: string,
  name: string,
): Promise<WorkspaceRecord> {
  const record = await requireRecord(layout, source);
  const { state } = await currentState(layout, source);
  if (liveStates.includes(state)) throw wrongState(source, state, "be copied");
  const hold = await takeHold(op, layout, source);
  try {
    return await createBeside(
      op,
      layout,
      record,
      name,
      (plan) => plan,
      (machineDir) => copyDisk(op, machinePath(layout, record), machineDir),
    );
  } finally {
    await hold.release();
  }
}

async function copyDisk(op: Op, from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 }).catch((error: unknown) => {
    throw fileError(error, `Directory "${to}" cannot be made`);
  });
  const disk = await diskIn(from, "durable");
  if (disk === null) return;
  // Lower files never change again, so both may have them.
  for (const layer of disk.layers ?? []) {
    await link(layer.path, join(to, basename(layer.path))).catch((error: unknown) => {
      throw fileError(error, `Disk "${layer.path}" cannot be shared`);
    });
  }
  // Nothing was written on what a snapshot gave.
  if (disk.layers !== undefined && disk.continues !== true) return;
  // Disks have holes: a plain copy would fill them.
  const target = join(to, basename(disk.path));
  await runTool(op, "cp", ["--reflink=auto", "--sparse=always", "--", disk.path, target]);
}
