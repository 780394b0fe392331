import { join } from "node:path";
import { errorJson } from "../../base/error-json.ts";
import { asMicroagentError, isMicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import { writeFileAtomic } from "../../host/files.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import type { RunPlan } from "../../spec/plan.ts";
import { Capture } from "../capture.ts";
import { argvOf, type Command, environmentOf } from "../command.ts";
import { runCommand } from "../run-command.ts";
import { exitCodeFor, type Termination, terminationOf } from "../termination.ts";
import { homeOf } from "./record.ts";
import type { StartedMachine } from "./start-machine.ts";

/** What a workspace runs by itself when it has started; null for one that only waits for commands. */
export function workloadOf(plan: RunPlan): Command | null {
  // An image's own command is run where somebody asks for it, not because nobody asked for another.
  return plan.provenance.command === "default" ? null : plan.command;
}

/** How the workload of the last start ended. */
export interface WorkloadResult {
  readonly startedAt: string;
  readonly completedAt: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutTruncated: boolean;
  readonly stderrTruncated: boolean;
  /** Why it did not come to an end of its own. */
  readonly error: unknown;
  /** Set only when it never ran. */
  readonly startError: string | null;
}

export const resultFile = "result.json";

/** Runs the workload to its end and records how it was. */
export async function runWorkload(
  op: Op,
  layout: StateLayout,
  { workspace, request }: StartedMachine,
  command: Command,
  timeoutMs: number | null,
): Promise<Termination> {
  const image = workspace.report.image.config;
  const stdout = new Capture(limits.exec.captureBytesMax);
  const stderr = new Capture(limits.exec.captureBytesMax);
  for (const each of [stdout, stderr]) each.redactWith(workspace.attachments.redact);
  const startedAt = new Date(op.clock.now()).toISOString();
  const end = await (async (): Promise<Termination> => {
    try {
      const result = await runCommand(
        op,
        workspace,
        "run",
        {
          argv: argvOf(command, request.shell, image),
          env: environmentOf(image, { ...workspace.attachments.env, ...request.env }),
          cwd: image.workingDir,
          user: image.user,
          stdin: false,
          tty: null,
          timeoutMs,
        },
        (_phase, stream, data) => (stream === "stdout" ? stdout : stderr).add(data),
        () => {},
      );
      return terminationOf(result, timeoutMs ?? 0);
    } catch (error) {
      const known = asMicroagentError(error);
      return { kind: known.code === "exec_not_started" ? "not_started" : "failed", error: known };
    }
  })();
  const failure = "error" in end ? end.error : null;
  const result: WorkloadResult = {
    startedAt,
    completedAt: new Date(op.clock.now()).toISOString(),
    exitCode: end.kind === "failed" ? null : exitCodeFor(end),
    signal: end.kind === "signaled" ? end.signal : null,
    stdout: stdout.text(),
    stderr: stderr.text(),
    stdoutTruncated: stdout.truncated,
    stderrTruncated: stderr.truncated,
    error: isMicroagentError(failure) ? errorJson(failure) : null,
    startError: end.kind === "not_started" ? end.error.message : null,
  };
  await writeFileAtomic(
    join(homeOf(layout, workspace.name), resultFile),
    `${JSON.stringify(result, null, 2)}\n`,
  );
  return end;
}
