import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { Capture } from "./capture.ts";
import { environmentOf } from "./command.ts";
import { type OutputSink, type RunningCommand, runCommand } from "./run-command.ts";
import { terminationOf } from "./termination.ts";
import type { Workspace } from "./workspace.ts";

interface Setup {
  readonly commands: readonly string[];
  readonly shell: string;
  readonly env: Readonly<Record<string, string>>;
  /** What is left of the run's bound; all commands together share it. */
  readonly remainingMs: () => number;
  readonly onRunning: (command: RunningCommand) => void;
}

/** Runs the setup commands one after the other, as root in `/`; the first failure ends the run. */
export async function runSetup(
  op: Op,
  workspace: Workspace,
  setup: Setup,
  sink: OutputSink,
): Promise<void> {
  for (const [index, command] of setup.commands.entries()) {
    op.report({
      kind: "amount",
      label: "setup",
      done: index,
      total: setup.commands.length,
      unit: "items",
    });
    const timeoutMs = setup.remainingMs();
    const tail = new Capture(64 * 1024);
    tail.redactWith(workspace.attachments.redact);
    const result = await runCommand(
      op,
      workspace,
      "setup",
      {
        argv: [setup.shell, "-c", command],
        env: environmentOf(workspace.report.image.config, setup.env),
        cwd: "/",
        user: "0:0",
        stdin: false,
        tty: null,
        timeoutMs,
      },
      (phase, stream, data) => {
        tail.add(data);
        return sink(phase, stream, data);
      },
      setup.onRunning,
    );
    if (result.exitCode === 0 && result.status === "exited") continue;
    const end = terminationOf(result, timeoutMs);
    throw new MicroagentError(
      "setup_failed",
      `Setup command ${index + 1} of ${setup.commands.length} ended with ${describeEnd(end)}: "${oneLine(command)}"`,
      {
        step: "setup",
        hint: "Its output is above; fix the command in the spec's setup list, or try it with: microagent run IMAGE sh -c '...'",
        details: {
          index,
          exitCode: result.exitCode,
          signal: result.signal,
          timedOut: result.status === "timed_out",
          output: tail.text().slice(-2000),
        },
      },
    );
  }
}

function describeEnd(end: ReturnType<typeof terminationOf>): string {
  switch (end.kind) {
    case "exited":
      return `exit code ${end.exitCode}${end.oomKilled === true ? " (out of memory)" : ""}`;
    case "signaled":
      return `signal ${end.signal}${end.oomKilled ? " (out of memory)" : ""}`;
    default:
      return "a timeout";
  }
}

function oneLine(text: string): string {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}
