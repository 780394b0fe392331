import type { TreeItem } from "../agent/tree.ts";
import { isTimeout } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Op, type ProgressListener, realClock, startOp } from "../base/op.ts";
import { stopSignalOf } from "../base/signals.ts";
import { bootUndone, canStay, collectAfter, sumUp, tearDown, templateAfter } from "./after-run.ts";
import type { MediationReport } from "./attachments.ts";
import type { AuditReceipt } from "./audit-receipt.ts";
import type { BootRequest } from "./boot.ts";
import type { BootReport } from "./boot-report.ts";
import { Capture } from "./capture.ts";
import { argvOf, type Command, environmentOf } from "./command.ts";
import type { DirectoryOut } from "./directories.ts";
import { Interrupt } from "./ending.ts";
import type { Engine } from "./engine.ts";
import { type NetworkReport, networkReport } from "./network-report.ts";
import { type CollectedOutputs, type DeclaredOutput, nothingCollected } from "./outputs.ts";
import { type OutputSink, type RunningCommand, runCommand, windDown } from "./run-command.ts";
import {
  insistOnOutputs,
  isNameTaken,
  terminationNow,
  terminationOfFailure,
} from "./run-outcome.ts";
import type { SecretsReport } from "./secret-delivery.ts";
import { runSetup } from "./setup.ts";
import { type StepSpan, StepTimes } from "./step-times.ts";
import { type StartedRun, startRun } from "./templates/start-run.ts";
import type { RunTemplate } from "./templates/template.ts";
import { type InterruptingSignal, type Termination, terminationOf } from "./termination.ts";
import type { Workspace } from "./workspace.ts";

/** A one-shot run, fully resolved. */
export interface DispatchRequest {
  readonly boot: BootRequest;
  readonly setup: readonly string[];
  /** Start from a machine in which setup has run, when there is one, and keep one for the next run. */
  readonly useTemplates: boolean;
  readonly files: readonly DroppedFile[];
  /** Guest directories to bring out beside the outputs. */
  readonly fetches: readonly DirectoryOut[];
  readonly command: Command;
  readonly shell: string;
  readonly env: Readonly<Record<string, string>>;
  readonly outputs: readonly DeclaredOutput[];
  /** Where outputs and record go; null when nothing is to be left. */
  readonly outputDir: string | null;
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
  /** Takes the machine over when the run is over and the guest still lives; without it the machine ends. */
  readonly onStays?: ((workspace: Workspace) => void) | undefined;
}

/** Abort reason of a run that a signal ended. */
export interface Interruption {
  readonly signal: InterruptingSignal;
}

/** What a run came to. Always returned, whatever happened; see `termination`. */
export interface DispatchResult {
  readonly workspace: string;
  readonly termination: Termination;
  readonly boot: BootReport | null;
  /** Whether setup was spared or its outcome kept, and why; null when nothing was booted. */
  readonly template: RunTemplate | null;
  readonly startedAt: Date | null;
  readonly exitedAt: Date | null;
  readonly stdout: Capture;
  readonly stderr: Capture;
  readonly outputs: CollectedOutputs;
  /** What left the guest and what was held back; null when nothing was booted. */
  readonly audit: AuditReceipt | null;
  /** Null when nothing was booted. */
  readonly network: NetworkReport | null;
  /** Null without secrets. */
  readonly secrets: SecretsReport | null;
  /** Null without a work channel. */
  readonly mediation: MediationReport | null;
  /** Null when nothing is to be left, or when the directory may be that of a run with the same name. */
  readonly outputDir: string | null;
  /** Where the workspace was kept, when it was. */
  readonly keptAt: string | null;
  /** Milliseconds by step. */
  readonly timingsMs: Readonly<Record<string, number>>;
  /** The same steps one by one, in the order in which they began. */
  readonly timeline: readonly StepSpan[];
}

/** What keeping a machine for the next run may take. */
const saveMs = 120_000;
/** What the guest gets to end a command on time, before the host stops waiting for it. */
const overrunMs = 10_000;

/**
 * One disposable run: boot, setup, files, command, outputs, tear-down. Outputs are collected
 * whenever the guest is still alive, and the machine is gone when this returns.
 */
export async function dispatch(
  engine: Engine,
  request: DispatchRequest,
  hooks: DispatchHooks = {},
): Promise<DispatchResult> {
  const times = new StepTimes("dispatch", realClock, hooks.onProgress);
  const { op, end } = startOp("dispatch", { signal: hooks.signal, onProgress: times.listener });
  const run = new Run();
  const interrupt = new Interrupt(realClock, hooks.signal);
  let booting: Promise<Workspace> | null = null;
  let start: StartedRun | null = null;
  let workspace: Workspace | null = null;
  let template: RunTemplate | null = null;
  let outputs = nothingCollected;
  let audit: AuditReceipt | null = null;
  try {
    start = await op.step("boot", (step) => {
      const starting = startRun(step, engine, request);
      booting = starting.then((started) => started.workspace);
      booting.catch(() => {});
      return starting;
    });
    workspace = start.workspace;
    run.redactWith(workspace.attachments.redact);
    run.termination = await runInside(op, start, request, run, hooks.onOutput ?? (() => {}));
  } catch (error) {
    run.termination = terminationOfFailure(error, hooks.signal, request.timeoutMs);
    run.overran = workspace !== null && isTimeout(error);
    if (run.overran && run.termination.kind === "failed") {
      run.termination = { kind: "timed_out", timeoutMs: request.timeoutMs };
    }
  } finally {
    end();
  }

  // The run's own op may be aborted or out of time by now; what follows has bounds of its own.
  const after = startOp("dispatch", { onProgress: times.listener });
  try {
    if (workspace === null) {
      await bootUndone(after.op.clock, booting);
    } else {
      if (run.overran) run.command?.execution.kill();
      if (run.termination.kind === "interrupted" && run.command !== null) {
        const signal = stopSignalOf(workspace.report.image.config.stopSignal);
        await windDown(after.op.clock, run.command, signal);
      }
      template = await templateAfter(after.op, start, interrupt);
      const ending = { workspace, request, interrupt };
      outputs = await collectAfter(after.op, ending, run.termination, run.overran);
      const { onStays } = hooks;
      const mayStay = () => canStay(terminationNow(run.termination, hooks.signal));
      const stays = onStays !== undefined && mayStay();
      ({ audit, outputs } = await sumUp(after.op, ending, outputs, run.termination, stays));
      if (stays && mayStay()) onStays(workspace);
      else await tearDown(after.op, ending, run.termination);
    }
  } finally {
    after.end();
  }
  run.termination = terminationNow(run.termination, hooks.signal);

  return {
    workspace: request.boot.name,
    termination: insistOnOutputs(
      request.requireOutputs,
      run.termination,
      outputs,
      workspace?.directory.keepFailure ?? null,
    ),
    boot: workspace?.report ?? null,
    template,
    startedAt: run.startedAt,
    exitedAt: run.exitedAt,
    stdout: run.stdout,
    stderr: run.stderr,
    outputs,
    audit,
    network: workspace === null ? null : networkReport(workspace.attachments.network),
    secrets: workspace?.attachments.secretsReport ?? null,
    mediation: workspace?.attachments.mediationReport ?? null,
    outputDir: isNameTaken(run.termination) ? null : request.outputDir,
    keptAt: workspace?.directory.keptAt ?? null,
    timingsMs: times.totalsMs(),
    timeline: times.spans(),
  };
}

/** What is learnt while the run goes on. */
class Run {
  termination: Termination = { kind: "interrupted", signal: null };
  startedAt: Date | null = null;
  exitedAt: Date | null = null;
  /** The last command that was started, ended or not. */
  command: RunningCommand | null = null;
  /** The guest did not keep to the bound by itself. */
  overran = false;
  readonly stdout = new Capture(limits.exec.captureBytesMax);
  readonly stderr = new Capture(limits.exec.captureBytesMax);

  redactWith(redact: (text: string) => string): void {
    this.stdout.redactWith(redact);
    this.stderr.redactWith(redact);
  }
}

async function runInside(
  op: Op,
  start: StartedRun,
  request: DispatchRequest,
  run: Run,
  sink: OutputSink,
): Promise<Termination> {
  const { workspace } = start;
  const image = workspace.report.image.config;
  // What the user sets himself wins over what the attachments need.
  const env = { ...workspace.attachments.env, ...request.env };
  let started = op.clock.monotonic();
  const onRunning = (command: RunningCommand) => {
    run.command = command;
  };
  const remainingMs = () => Math.max(1, request.timeoutMs - (op.clock.monotonic() - started));

  if (request.setup.length > 0 && !start.isSetUp) {
    await op.step(
      "setup",
      (step) =>
        runSetup(
          step,
          workspace,
          {
            commands: request.setup,
            shell: request.shell,
            env,
            remainingMs,
            onRunning,
          },
          sink,
        ),
      { timeoutMs: remainingMs() + overrunMs },
    );
    const saving = op.clock.monotonic();
    await op.step("save", (step) => start.afterSetup(step), { timeoutMs: saveMs });
    // The bound is the user's, for what is his.
    started += op.clock.monotonic() - saving;
  }
  if (request.files.length > 0) {
    const putFiles = async (step: Op) => {
      for (const file of request.files) await workspace.put(step, file.guestPath, file.tree());
    };
    await op.step("files", putFiles, { timeoutMs: remainingMs() });
  }
  const command = async (step: Op): Promise<Termination> => {
    run.startedAt = new Date(op.clock.now());
    try {
      const result = await runCommand(
        step,
        workspace,
        "run",
        {
          argv: argvOf(request.command, request.shell, image),
          env: environmentOf(image, env),
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
  };
  return await op.step("run", command, { timeoutMs: remainingMs() + overrunMs });
}
