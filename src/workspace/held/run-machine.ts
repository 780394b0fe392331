import { MicroagentError } from "../../base/errors.ts";
import type { DispatchHooks, DispatchResult } from "../dispatch.ts";
import type { Engine } from "../engine.ts";
import { type RunExtras, requestOf, runPlanOnce } from "../run-plan.ts";
import type { Workspace } from "../workspace.ts";
import { type Hold, readyMachineDir } from "./held-dir.ts";
import { machinePath, type WorkspaceRecord, writeRecord } from "./record.ts";
import type { StartedMachine } from "./start-machine.ts";

/** A one-shot run whose machine may outlive it. */
export interface RunOnHold {
  readonly result: DispatchResult;
  /** Null when the run has ended its machine, as an interrupted or failed one does. */
  readonly started: StartedMachine | null;
}

/** Runs a workspace's plan once, outputs and record included, in the machine that its holder keeps afterwards. */
export async function runMachine(
  engine: Engine,
  record: WorkspaceRecord,
  hold: Hold,
  directories: Pick<RunExtras, "directoriesIn" | "directoriesOut">,
  hooks: DispatchHooks,
): Promise<RunOnHold> {
  await readyMachineDir(machinePath(engine.layout, record));
  let stays: Workspace | null = null;
  const onStays = (workspace: Workspace) => {
    stays = workspace;
  };
  const machine = { saveable: true, directory: async () => hold.directory(record) };
  const extras = { ...directories, machine };
  const result = await runPlanOnce(engine, record.plan, { ...hooks, onStays }, extras);
  if (stays === null) return { result, started: null };
  const workspace: Workspace = stays;
  const { digest } = workspace.report.image;
  await writeRecord(engine.layout, { ...record, imageDigest: digest, isSetUp: true });
  return { result, started: { workspace, request: requestOf(record.plan, nothing) } };
}

/** Files and setup are on the disk by now. */
const nothing = { setup: [], files: [] };

/** Why a workspace whose run is over has no machine. */
export function runEnded(name: string): MicroagentError {
  return new MicroagentError("closed", `The run of workspace "${name}" ended with its machine`);
}
