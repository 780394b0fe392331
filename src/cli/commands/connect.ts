import type { Command } from "commander";
import { MicroagentError } from "../../base/errors.ts";
import { durationText } from "../../base/quantity.ts";
import type { AttachedWorkspace, Op } from "../../index.ts";
import { DetachKeys } from "../detach-keys.ts";
import { durationFlag } from "../duration-flag.ts";
import { processKeyboard } from "../keyboard.ts";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import { exitCodeOfResult } from "../render/exec-result.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { interruptibly } from "../with-progress.ts";

interface ConnectOptions extends WorkspaceOptions {
  readonly send?: string;
  readonly timeout?: string;
  readonly readyTimeout?: string;
  readonly shell?: string;
}

export function define(command: Command, terminal: Terminal): void {
  takesWorkspace(command, "Name of a running workspace")
    .option("--send <line>", "Run one line and print what it says, instead of a dialogue")
    .option("--timeout <duration>", "Bound on --send (default 5s)")
    .option(
      "--ready-timeout <duration>",
      "How long to wait for a workspace that starts (default 10s)",
    )
    .option("--shell <path>", "Guest shell (default: the workspace's)")
    .addHelpText(
      "after",
      `
Opens a shell on a terminal of the guest. Ctrl-] leaves it, and so does Ctrl-P Ctrl-Q; the shell ends then, the workspace runs on.

Examples:
  microagent connect dev
  microagent --json connect dev --send "ps aux"`,
    )
    .action(async (given: string | undefined, options: ConnectOptions) => {
      const name = workspaceName("connect", given, options);
      const timeoutMs = durationFlag("--timeout", options.timeout ?? "5s");
      const readyMs = durationFlag("--ready-timeout", options.readyTimeout ?? "10s");
      if (terminal.json && options.send === undefined) {
        throw new MicroagentError("usage", "A dialogue cannot be JSON: wanted --send with --json", {
          hint: `For example: microagent --json connect ${name} --send "uname -a"`,
        });
      }
      const { attachWorkspace, inspectWorkspace, stateLayout } = await import("../../index.ts");
      const layout = stateLayout(options);
      const { record } = await inspectWorkspace(layout, name);
      const shell = options.shell ?? record.plan.shell;
      await interruptibly(terminal, "connect", async (op) => {
        const bound = readyMs === 0 ? {} : { timeoutMs: readyMs };
        const attaching = (step: Op) => attachWorkspace(step, layout, name);
        await using workspace = await op.step("ready", attaching, bound);
        if (options.send === undefined) await talk(op, terminal, workspace, shell);
        else await send(op, terminal, workspace, [shell, "-c", options.send], timeoutMs);
      });
    });
}

async function send(
  op: Op,
  terminal: Terminal,
  workspace: AttachedWorkspace,
  argv: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const result = await workspace.run(op, { argv, timeoutMs, tty: { rows: 24, cols: 80 } });
  const output = result.stdout.toString("utf8");
  if (result.status === "timed_out") {
    // What it said may tell why it did not end.
    if (!terminal.json) await terminal.writeOut(result.stdout);
    throw new MicroagentError("timeout", `The line did not end within ${durationText(timeoutMs)}`, {
      step: "send",
      hint: "Give it more time with --timeout",
      details: { partialOutput: output },
    });
  }
  terminal.exitCode = exitCodeOfResult(result);
  const document = { workspace: workspace.name, output, exit_code: terminal.exitCode };
  await terminal.writeOut(terminal.json ? jsonText(document) : result.stdout);
}

async function talk(
  op: Op,
  terminal: Terminal,
  workspace: AttachedWorkspace,
  shell: string,
): Promise<void> {
  const keyboard = processKeyboard();
  if (!keyboard.isTerminal) {
    throw new MicroagentError("usage", "Standard input is no terminal: wanted one for a dialogue", {
      hint: `Without one: microagent exec ${workspace.name} --stdin - -- ${shell}`,
    });
  }
  const tty = keyboard.size();
  const env = { TERM: terminal.environment.TERM ?? "xterm-256color" };
  const execution = await workspace.exec(op, { argv: [shell, "-i"], tty, env, stdin: true });
  const stopResize = keyboard.onResize(() => {
    const { rows, cols } = keyboard.size();
    execution.resize(rows, cols);
  });
  await terminal.writeErr(`connected to ${workspace.name}, Ctrl-] leaves it\n`);
  const restore = keyboard.raw();
  let left = false;
  const hangUp = () => execution.kill();
  op.signal.addEventListener("abort", hangUp, { once: true });
  const typing = async () => {
    const keys = new DetachKeys();
    for await (const bytes of keyboard.read()) {
      const { send: typed, detach } = keys.take(bytes);
      if (typed.length > 0) await execution.stdin.write(op, typed);
      if (detach) break;
    }
    left = true;
    execution.kill();
  };
  void typing().catch(() => {});
  try {
    for await (const { data } of execution.output) await terminal.writeOut(data);
    terminal.exitCode = exitCodeOfResult(await execution.result);
  } catch (error) {
    if (!left) await workspace.explaining("talking to it", Promise.reject(error));
  } finally {
    op.signal.removeEventListener("abort", hangUp);
    restore();
    stopResize();
    keyboard.close();
  }
  if (left) await terminal.writeErr(`\nleft ${workspace.name}, which runs on\n`);
}
