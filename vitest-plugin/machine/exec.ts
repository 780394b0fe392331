import {
  type GuestCommand,
  guestCommand,
  MicroagentError,
  type RunResult,
  type Workspace,
} from "../../src/index.ts";
import type { CallBound, Life } from "./life.ts";
import { type ShellValue, shellLine, shellText } from "./shell-words.ts";
import type { Transcript } from "./transcript.ts";

export interface ExecOptions extends CallBound {
  /** Default: the image's working directory. */
  readonly cwd?: string | undefined;
  /** Added to the image's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** `name`, `uid`, `name:group` or `uid:gid`; default: the image's user. */
  readonly user?: string | undefined;
  /** The whole standard input. */
  readonly stdin?: string | Uint8Array | undefined;
  /** Throw unless it exits with 0. */
  readonly check?: boolean | undefined;
}

/** A command that ran to its end. */
export interface ExecResult {
  readonly command: string;
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
  /** Its time was over, and it was ended. */
  readonly timedOut: boolean;
  /** The kernel killed something of it for lack of memory. */
  readonly oomKilled: boolean;
  /** Output beyond 10 MiB was dropped. */
  readonly truncated: boolean;
}

export type ExecTag = (
  strings: TemplateStringsArray,
  ...values: ShellValue[]
) => Promise<ExecResult>;

/**
 * Runs a command: a template goes through the shell with its values quoted, an argument vector goes as it
 * is, and options alone give a template tag that has them.
 */
export interface Exec {
  (strings: TemplateStringsArray, ...values: ShellValue[]): Promise<ExecResult>;
  (argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  (options: ExecOptions): ExecTag;
}

type Run = (argv: readonly string[], shown: string, options: ExecOptions) => Promise<ExecResult>;

/** The three forms over one way to run a command. */
export function execForms(shell: string, run: Run): Exec {
  const tag =
    (options: ExecOptions): ExecTag =>
    (strings, ...values) => {
      const text = shellText(strings, values);
      return run([shell, "-c", text], text, options);
    };
  const exec = (
    first: TemplateStringsArray | readonly string[] | ExecOptions,
    ...rest: unknown[]
  ) => {
    if (isTemplate(first)) return tag({})(first, ...(rest as ShellValue[]));
    if (!Array.isArray(first)) return tag(first as ExecOptions);
    const argv = first as readonly string[];
    return run(argv, shellLine(argv), (rest[0] ?? {}) as ExecOptions);
  };
  return exec as Exec;
}

/** Runs one command in a workspace, and writes it down. */
export async function runCommand(
  workspace: Workspace,
  life: Life,
  transcript: Transcript,
  command: Omit<GuestCommand, "timeoutMs"> & { readonly shown: string },
  options: ExecOptions,
): Promise<ExecResult> {
  const timeoutMs = life.bound(options.timeout ?? life.timeouts.exec);
  const { cwd, env, user, stdin } = options;
  const { shown, ...words } = command;
  const request = guestCommand(workspace, { ...words, cwd, env, user, timeoutMs });
  const entry = transcript.begin(shown);
  try {
    const result = await life.during("exec", { signal: options.signal }, timeoutMs + 10_000, (op) =>
      workspace.explaining(
        `running "${shorter(shown)}"`,
        workspace.agent.run(op, request, stdin === undefined ? {} : { stdin: Buffer.from(stdin) }),
      ),
    );
    const outcome = outcomeOf(shown, result);
    entry.end(outcome);
    if (options.check === true) requireSuccess(outcome);
    return outcome;
  } catch (error) {
    entry.fail(error);
    throw error;
  }
}

function outcomeOf(command: string, result: RunResult): ExecResult {
  return {
    command,
    exitCode: result.exitCode,
    signal: result.signal,
    stdout: result.stdout.toString("utf8"),
    stderr: result.stderr.toString("utf8"),
    durationMs: result.endedAt.getTime() - result.startedAt.getTime(),
    timedOut: result.status === "timed_out",
    oomKilled: result.oomKilled,
    truncated: result.stdoutTruncated || result.stderrTruncated,
  };
}

function requireSuccess(result: ExecResult): void {
  if (result.exitCode === 0 && !result.timedOut) return;
  throw new MicroagentError(
    "command_failed",
    `Command "${shorter(result.command)}" ${endOf(result)}`,
    { hint: outputHint(result), details: { exitCode: result.exitCode, signal: result.signal } },
  );
}

/** How a command ended, completing "The command". */
export function endOf(result: ExecResult): string {
  if (result.timedOut) return `was ended after ${result.durationMs} ms: its time was over`;
  if (result.signal === null) return `ended with exit code ${result.exitCode}`;
  return `was ended by ${result.signal}${result.oomKilled ? " (out of memory)" : ""}`;
}

/** The ends of both outputs, for people. */
export function outputHint({ stdout, stderr }: ExecResult): string {
  const part = (name: string, text: string) =>
    text.trim() === "" ? "" : `${name}:\n${text.trimEnd().split("\n").slice(-15).join("\n")}`;
  const parts = [part("stderr", stderr), part("stdout", stdout)].filter((each) => each !== "");
  return parts.length === 0 ? "It printed nothing" : parts.join("\n");
}

export function shorter(text: string): string {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}

function isTemplate(value: unknown): value is TemplateStringsArray {
  return Array.isArray(value) && "raw" in value;
}
