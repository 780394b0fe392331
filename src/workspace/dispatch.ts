import type { TreeItem } from "../agent/tree.ts";
import { asMicroagentError, type MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Op, type ProgressListener, startOp } from "../base/op.ts";
import { type BootReport, type BootRequest, boot } from "./boot.ts";
import { Capture } from "./capture.ts";
import { argvOf, type Command, environmentOf } from "./command.ts";
import type { Engine } from "./engine.ts";
import {
  type CollectedOutputs,
  collectOutputs,
  type DeclaredOutput,
  missingOutputsError,
  nothingCollected,
} from "./outputs.ts";
import { type OutputSink, type RunningCommand, runCommand, windDown } from "./run-command.ts";
import { runSetup } from "./setup.ts";
import { stopSignalOf } from "./signals.ts";
import { StepTimes } from "./step-times.ts";
import { type Termination, terminationOf } from "./termination.ts";
import type { Workspace } from "./workspace.ts";
import { keptPathOf } from "./workspace-dir.ts";

/** A one-shot run, fully resolved. */
export interface DispatchRequest {
  readonly boot: BootRequest;
  readonly setup: readonly string[];
  readonly files: readonly DroppedFile[];
  readonly command: Command;
  readonly shell: string;
  readonly env: Readonly<Record<string, string>>;
  readonly outputs: readonly DeclaredOutput[];
  readonly outputDir: string;
  readonly requireOutputs: boolean;
  /** Bounds setup and command together, not pull and boot. */
  readonly timeoutMs: number;
  /** Keep the workspace directory (disks, console) after the run. */
  readonly keep: boolean;
}

/** A file that is written into the guest before the command runs. */
export interface DroppedFile {
  readonly guestPath: string;
  readonly tree: () => AsyncIterable<TreeItem>;
}

export interface DispatchHooks {
  readonly onOutput?: OutputSink | undefined;
  readonly onProgress?: ProgressListener | undefined;
  /** Aborting ends the run in good order; see `Interruption` for the reason's form. */
  readonly signal?: AbortSignal | undefined;
}

/** Abort reason of a run that a signal ended. */
export interface Interruption {
  readonly signal: "SIGINT" | "SIGTERM";
}

/** What a run came to. Always returned, whatever happened; see `termination`. */
export interface DispatchResult {
  readonly workspace: string;
  readonly termination: Termination;
  readonly boot: BootReport | null;
  readonly startedAt: Date | null;
  readonly exitedAt: Date | null;
  readonly stdout: Capture;
  readonly stderr: Capture;
  readonly outputs: CollectedOutputs;
  /** Null when nothing was booted, so nothing could come out. */
  readonly outputDir: string | null;
  /** Where the workspace was kept, when it was. */
  readonly keptAt: string | null;
  /** Milliseconds by step. */
  readonly timingsMs: Readonly<Record<string, number>>;
}

/** An interrupted run gets this long to bring its outputs out. */
const interruptedCollectMs = 2_500;
/** Outputs of a run that ended by itself. */
const collectMs = 30 * 60_000;

/**
 * One disposable run: boot, setup, files, command, outputs, tear-down. Outputs are collected
 * whenever the guest is still alive, and the machine is gone when this returns.
 */
export async function dispatch(
  engine: Engine,
  request: DispatchRequest,
  hooks: DispatchHooks = {},
): Promise<DispatchResult> {
  const times = new StepTimes("dispatch", hooks.onProgress);
  const { op, end } = startOp("dispatch", { signal: hooks.signal, onProgress: times.listener });
  const run = new Run();
  let workspace: Workspace | null = null;
  let outputs = nothingCollected;
  try {
    workspace = await op.step("boot", (step) => boot(step, engine, request.boot));
    run.termination = await runInside(op, workspace, request, run, hooks.onOutput ?? (() => {}));
  } catch (error) {
    run.termination = terminationOfFailure(error, hooks.signal, request.timeoutMs);
  } finally {
    end();
  }

  // The run's own op may be aborted or out of time by now; what follows has bounds of its own.
  const after = startOp("dispatch", { onProgress: times.listener });
  try {
    if (workspace !== null) {
      if (run.termination.kind === "interrupted" && run.command !== null) {
        const signal = stopSignalOf(workspace.report.image.config.stopSignal);
        await windDown(after.op.clock, run.command, signal);
      }
      outputs = await collectAfter(after.op, workspace, request, run.termination);
      await tearDown(after.op, workspace, request.keep);
    }
  } finally {
    after.end();
  }

  return {
    workspace: request.boot.name,
    termination: insistOnOutputs(request, run.termination, outputs),
    boot: workspace?.report ?? null,
    startedAt: run.startedAt,
    exitedAt: run.exitedAt,
    stdout: run.stdout,
    stderr: run.stderr,
    outputs,
    outputDir: workspace === null || request.outputs.length === 0 ? null : request.outputDir,
    keptAt:
      workspace !== null && request.keep ? keptPathOf(engine.layout, request.boot.name) : null,
    timingsMs: times.toJSON(),
  };
}

/** What is learnt while the run goes on. */
class Run {
  termination: Termination = { kind: "interrupted", signal: null };
  startedAt: Date | null = null;
  exitedAt: Date | null = null;
  /** The last command that was started, ended or not. */
  command: RunningCommand | null = null;
  readonly stdout = new Capture(limits.exec.captureBytesMax);
  readonly stderr = new Capture(limits.exec.captureBytesMax);
}

async function runInside(
  op: Op,
  workspace: Workspace,
  request: DispatchRequest,
  run: Run,
  sink: OutputSink,
): Promise<Termination> {
  const image = workspace.report.image.config;
  const started = op.clock.monotonic();
  const onRunning = (command: RunningCommand) => {
    run.command = command;
  };
  const remainingMs = () => Math.max(1, request.timeoutMs - (op.clock.monotonic() - started));

  if (request.setup.length > 0) {
    await op.step("setup", (step) =>
      runSetup(
        step,
        workspace,
        {
          commands: request.setup,
          shell: request.shell,
          env: request.env,
          timeoutMs: remainingMs(),
          onRunning,
        },
        sink,
      ),
    );
  }
  if (request.files.length > 0) {
    await op.step("files", async (step) => {
      for (const file of request.files) await workspace.put(step, file.guestPath, file.tree());
    });
  }
  return await op.step("run", async (step) => {
    run.startedAt = new Date(op.clock.now());
    try {
      const result = await runCommand(
        step,
        workspace,
        "run",
        {
          argv: argvOf(request.command, request.shell, image),
          env: environmentOf(image, request.env),
          cwd: image.workingDir,
          user: image.user,
          stdin: false,
          tty: null,
          timeoutMs: remainingMs(),
        },
        (phase, stream, data) => {
          (stream === "stdout" ? run.stdout : run.stderr).add(data);
          return sink(phase, stream, data);
        },
        onRunning,
      );
      return terminationOf(result, request.timeoutMs);
    } finally {
      run.exitedAt = new Date(op.clock.now());
    }
  });
}

function terminationOfFailure(
  error: unknown,
  signal: AbortSignal | undefined,
  timeoutMs: number,
): Termination {
  if (signal?.aborted) {
    const reason = signal.reason as Partial<Interruption> | undefined;
    return { kind: "interrupted", signal: reason?.signal ?? null };
  }
  const known = asMicroagentError(error);
  if (known.code === "exec_not_started") return { kind: "not_started", error: known };
  if (known.code === "setup_failed") {
    return known.details.timedOut === true
      ? { kind: "timed_out", timeoutMs }
      : { kind: "setup_failed", error: known };
  }
  return { kind: "failed", error: known };
}

/** Outputs of a guest that may still answer; a dead one has none to give, and the run says why. */
async function collectAfter(
  op: Op,
  workspace: Workspace,
  request: DispatchRequest,
  end: Termination,
): Promise<CollectedOutputs> {
  if (request.outputs.length === 0 || guestIsGone(end)) return nothingCollected;
  const timeoutMs = end.kind === "interrupted" ? interruptedCollectMs : collectMs;
  const { op: bounded, end: release } = startOp(`${op.path}/outputs`, {
    timeoutMs,
    clock: op.clock,
  });
  try {
    return await op.step("outputs", () =>
      collectOutputs(bounded, workspace, request.outputs, request.outputDir),
    );
  } finally {
    release();
  }
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

async function tearDown(op: Op, workspace: Workspace, keep: boolean): Promise<void> {
  await op.step("teardown", async (step) => {
    if (keep) {
      workspace.directory.keep();
      await workspace.powerOff(step);
    } else {
      await workspace.close();
    }
  });
}

/** `--require-outputs` turns a successful run that misses outputs into a failure. */
function insistOnOutputs(
  request: DispatchRequest,
  end: Termination,
  outputs: CollectedOutputs,
): Termination {
  if (!request.requireOutputs || end.kind !== "exited" || end.exitCode !== 0) return end;
  const error: MicroagentError | null = missingOutputsError(outputs);
  return error === null ? end : { kind: "failed", error };
}
