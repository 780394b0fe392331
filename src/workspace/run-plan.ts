import { dirname, join } from "node:path";
import { singleFileTree } from "../agent/tree.ts";
import { nameBeside } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { withOp } from "../base/op.ts";
import { inOneLine } from "../base/progress-line.ts";
import { fileError } from "../host/file-error.ts";
import { writeFileAtomic } from "../host/files.ts";
import { makeDirs } from "../host/make-dirs.ts";
import { type CapturedInputs, captureFiles } from "../spec/capture-files.ts";
import type { RunPlan } from "../spec/plan.ts";
import { unsupportedError } from "../spec/unsupported.ts";
import { removeAudit } from "./audit-copy.ts";
import type { BootRequest } from "./boot.ts";
import { type DirectoryIn, type DirectoryOut, droppedDirectory } from "./directories.ts";
import {
  type DispatchHooks,
  type DispatchRequest,
  type DispatchResult,
  dispatch,
} from "./dispatch.ts";
import type { Engine } from "./engine.ts";
import { collectGarbage } from "./garbage.ts";
import { checkHostRoom } from "./host-room.ts";
import { roomWithinLimit } from "./limited-room.ts";
import type { MediationDeclared } from "./mediation.ts";
import { networkRequestOf } from "./network-request.ts";
import { checkOutputDir, outputDirOf, removeStaleOutputs } from "./output-dir.ts";
import { manifestJson, resultJson } from "./result-json.ts";
import { isNameTaken } from "./run-outcome.ts";

/** What a program hands over beside what a plan can say. */
export interface RunExtras {
  /** Copied in before the command runs, after setup. */
  readonly directoriesIn?: readonly DirectoryIn[] | undefined;
  /** Copied out after it; one that cannot be had is among the incomplete outputs, by its guest path. */
  readonly directoriesOut?: readonly DirectoryOut[] | undefined;
  /** What the machine has besides what the plan says. */
  readonly machine?: Pick<BootRequest, "directory" | "saveable"> | undefined;
}

/**
 * Runs a plan once, from capture to written results. Throws only before anything was started (a
 * plan that uses what is not built, a host file that cannot be read, an output directory that cannot be
 * written); afterwards the result tells.
 */
export async function runPlanOnce(
  engine: Engine,
  plan: RunPlan,
  hooks: DispatchHooks,
  extras: RunExtras = {},
): Promise<DispatchResult> {
  const refusal = unsupportedError(plan);
  if (refusal !== null) throw refusal;
  checkHostRoom(plan);
  tellNotes(plan, hooks);
  const captured = await withOp("capture", { signal: hooks.signal }, (op) =>
    captureFiles(op, plan),
  );
  await checkOutputDir(plan);
  const room = await withOp(
    "room",
    { signal: hooks.signal, onProgress: hooks.onProgress, timeoutMs: limits.machine.roomMs },
    (op) => roomWithinLimit(op, engine.layout, plan.resources),
  );
  let isKept = false;
  const { onStays } = hooks;
  const noting: DispatchHooks = {
    ...hooks,
    onStays:
      onStays &&
      ((workspace) => {
        isKept = true;
        onStays(workspace);
      }),
  };
  try {
    return await runWithRoom(engine, plan, captured, noting, extras);
  } finally {
    // The ticket of a machine that stays goes with this process, as the machine does.
    if (!isKept) await room?.release();
  }
}

async function runWithRoom(
  engine: Engine,
  plan: RunPlan,
  captured: CapturedInputs,
  hooks: DispatchHooks,
  extras: RunExtras,
): Promise<DispatchResult> {
  let result = await dispatch(engine, requestOf(plan, captured, extras), hooks);
  if (isNameTaken(result.termination) && plan.provenance.name === "spec") {
    const beside = planBeside(plan);
    const text = `Workspace name "${plan.name}" is in use, so this run is "${beside.name}"`;
    hooks.onProgress?.({ kind: "note", path: "dispatch", text });
    result = await dispatch(engine, requestOf(beside, captured, extras), hooks);
  }
  const recorded = await recordResult(result);
  await withOp("gc", { signal: hooks.signal }, (op) => collectGarbage(op, engine.layout)).catch(
    () => {
      // Somebody else's leftovers are no reason to fail this run; `microagent gc` says what is wrong.
    },
  );
  return recorded;
}

/** What the merge found worth telling; parts of it may be the spec's words. */
export function tellNotes(plan: RunPlan, { onProgress }: DispatchHooks): void {
  for (const text of plan.notes) {
    onProgress?.({ ...inOneLine({ kind: "note", text }), path: "dispatch" });
  }
}

/**
 * The same run under a name of its own, its default output directory too: a name that comes with the
 * file says what is run, and the file may well run twice at once.
 */
export function planBeside(plan: RunPlan): RunPlan {
  const name = nameBeside(plan.name);
  const outputDir =
    plan.provenance.outputDir === "default" ? join(dirname(plan.outputDir), name) : plan.outputDir;
  return { ...plan, name, outputDir };
}

/** The run a plan asks for. */
export function requestOf(
  plan: RunPlan,
  captured: CapturedInputs,
  extras: RunExtras = {},
): DispatchRequest {
  return {
    boot: {
      name: plan.name,
      image: plan.image,
      pull: plan.pull,
      insecureRegistries: plan.insecureRegistries,
      kernel: plan.kernel ?? undefined,
      arch: plan.arch ?? undefined,
      accel: plan.accel,
      memoryMib: plan.resources.memoryMib,
      cpus: plan.resources.cpus,
      sizeMib: plan.resources.sizeMib,
      hostname: plan.hostname,
      attach: {
        network: networkRequestOf(plan),
        secrets: plan.secrets,
        mediation: mediationOf(plan),
      },
      bounds: {
        pullMs: plan.pullTimeoutSeconds * 1000,
        bootMs: plan.bootTimeoutSeconds * 1000,
      },
      ...extras.machine,
    },
    setup: captured.setup,
    useTemplates: plan.useTemplates,
    files: [
      ...(extras.directoriesIn ?? []).map(droppedDirectory),
      ...captured.files.map((file) => ({
        guestPath: file.guestPath,
        tree: () => singleFileTree(file.bytes, { mode: file.mode }),
      })),
    ],
    fetches: extras.directoriesOut ?? [],
    command: plan.command,
    shell: plan.shell,
    env: plan.env,
    outputs: plan.outputs,
    outputDir: outputDirOf(plan),
    requireOutputs: plan.requireOutputs,
    timeoutMs: plan.timeoutSeconds * 1000,
    keep: plan.keep,
  };
}

/** Failing closed is what a required channel does. */
function mediationOf({ mediation }: RunPlan): MediationDeclared | null {
  if (mediation === null) return null;
  const { port, target, required, failClosed } = mediation;
  return { port, target, required: required || failClosed };
}

/**
 * Writes `result.json` and `manifest.json` beside the outputs, and the result into a kept workspace.
 * What cannot be written is told as an incomplete output, and fails a run that had succeeded.
 */
async function recordResult(result: DispatchResult): Promise<DispatchResult> {
  const { outputDir, keptAt } = result;
  const document = () => `${JSON.stringify(resultJson(result), null, 2)}\n`;
  const writings: (() => Promise<unknown>)[] = [];
  if (outputDir !== null) {
    writings.push(
      () => removeStaleOutputs(outputDir, result.outputs.written),
      async () => result.boot === null && (await removeAudit(outputDir)),
      () => {
        const manifest = `${JSON.stringify(manifestJson(result), null, 2)}\n`;
        return writeFileAtomic(join(outputDir, "manifest.json"), manifest, { mode: 0o644 });
      },
      () => writeFileAtomic(join(outputDir, "result.json"), document(), { mode: 0o644 }),
    );
  }
  if (keptAt !== null) {
    writings.push(() => writeFileAtomic(join(keptAt, "result.json"), document()));
  }
  try {
    if (outputDir !== null) await makeDirs(outputDir);
    // Each whatever became of the others: the result is wanted most where something went wrong.
    let failed: { readonly error: unknown } | null = null;
    for (const write of writings) {
      try {
        await write();
      } catch (error) {
        failed ??= { error };
      }
    }
    if (failed !== null) throw failed.error;
    return result;
  } catch (error) {
    const failure = fileError(error, `The result cannot be written to "${outputDir ?? keptAt}"`);
    const incomplete = [...result.outputs.incomplete, { output: "result.json", error: failure }];
    const end = result.termination;
    return {
      ...result,
      termination:
        end.kind === "exited" && end.exitCode === 0 ? { kind: "failed", error: failure } : end,
      outputs: { ...result.outputs, incomplete },
    };
  }
}
