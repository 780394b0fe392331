import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { deathSignalWords } from "./death-signal.ts";
import { fullChildEnvironment, minimalChildEnvironment } from "./environment.ts";
import { onProcessExit } from "./exit-hook.ts";
import { requireTool } from "./find-tool.ts";

export { findTool, requireTool } from "./find-tool.ts";

const stderrTailLines = 12;
const termGraceMs = 2_000;

export interface ToolOptions {
  readonly cwd?: string | undefined;
  /** Added to the environment, which is minimal unless `inheritEnv` is set. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Gives the tool our whole environment, for programs the user configures through it. */
  readonly inheritEnv?: boolean | undefined;
  readonly input?: string | Uint8Array | undefined;
  /** Writes standard output to this file instead of returning it. */
  readonly stdoutPath?: string | undefined;
  /** Leaves the terminal to the tool (a password prompt); nothing is captured. */
  readonly interactive?: boolean | undefined;
}

export interface ToolResult {
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program to its end and returns what it printed. The whole process group ends when the op
 * does, and the program is told to end when this process dies. `host_tool_missing` with an install hint, `host_tool_failed` with the tail of stderr; the abort
 * reason of the op when that was the cause.
 */
export async function runTool(
  op: Op,
  file: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  op.check();
  const path = await requireTool(file);
  // Loaded on first use: a run that finds everything prepared starts no tool.
  const { execa } = await import("execa");
  op.check();
  const interactive = options.interactive === true;
  // A person at a terminal ends such a tool himself, and half an installation is worse than a late one.
  const wrapper = interactive ? [] : await deathSignalWords("TERM");
  const [command = path, ...words] = [...wrapper, path, ...args];
  const child = execa(command, words, {
    reject: false,
    extendEnv: false,
    stripFinalNewline: false,
    cleanup: false,
    detached: !interactive,
    maxBuffer: limits.hostTool.outputBytesMax,
    env: {
      ...(options.inheritEnv === true || interactive
        ? fullChildEnvironment()
        : minimalChildEnvironment()),
      ...options.env,
    },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(interactive
      ? { stdio: "inherit" }
      : {
          ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
          stdout: options.stdoutPath === undefined ? "pipe" : { file: options.stdoutPath },
        }),
  });
  const signalAll = (signal: NodeJS.Signals) => signalGroup(child.pid, signal, interactive);
  const unhook = onProcessExit(() => signalAll("SIGKILL"));
  let killTimer: NodeJS.Timeout | undefined;
  const onAbort = () => {
    signalAll("SIGTERM");
    killTimer = setTimeout(() => signalAll("SIGKILL"), termGraceMs);
  };
  op.signal.addEventListener("abort", onAbort, { once: true });
  try {
    const result = await child;
    op.check();
    const stdout = typeof result.stdout === "string" ? result.stdout : "";
    const stderr = typeof result.stderr === "string" ? result.stderr : "";
    if (result.failed) throw toolFailed(file, result, stderr);
    return { stdout, stderr };
  } finally {
    op.signal.removeEventListener("abort", onAbort);
    clearTimeout(killTimer);
    unhook();
  }
}

function toolFailed(
  file: string,
  result: { exitCode?: number | undefined; signal?: string | undefined; isMaxBuffer: boolean },
  stderr: string,
): MicroagentError {
  const tail = stderr.trimEnd().split("\n").slice(-stderrTailLines).join("\n");
  const how = result.isMaxBuffer
    ? `printed more than ${limits.hostTool.outputBytesMax} bytes`
    : result.signal !== undefined
      ? `was killed by ${result.signal}`
      : result.exitCode !== undefined
        ? `ended with status ${result.exitCode}`
        : "could not be started";
  return new MicroagentError(
    "host_tool_failed",
    `Program "${file}" ${how}${tail === "" ? "" : `: ${tail.split("\n").at(-1)}`}`,
    { details: { file, exitCode: result.exitCode ?? null, stderr: tail } },
  );
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals, single: boolean): void {
  if (pid === undefined) return;
  try {
    process.kill(single ? pid : -pid, signal);
  } catch {
    // It has ended already.
  }
}
