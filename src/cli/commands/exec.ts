import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import { type Command, Option } from "commander";
import { isMicroagentError, MicroagentError } from "../../base/errors.ts";
import type { AttachedWorkspace, GuestCommand, Op } from "../../index.ts";
import { durationFlag } from "../duration-flag.ts";
import { countFlag } from "../flag-values.ts";
import { execResultJson, exitCodeOfResult } from "../render/exec-result.ts";
import { type InputSource, runInWorkspace } from "../run-in-workspace.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { interruptibly } from "../with-progress.ts";

/** Removing a script from a guest that may have other worries. */
const removeMs = 1_000;

interface ExecOptions {
  readonly env?: readonly string[];
  readonly cwd?: string;
  readonly user?: string;
  readonly stdin?: string;
  readonly script?: string;
  readonly timeout?: string;
  readonly stdoutLimit?: string;
  readonly stderrLimit?: string;
  readonly stateDir?: string;
}

/** What a command line comes to: which workspace, which words, and perhaps a script of the host. */
interface Asked {
  readonly name: string;
  readonly argv: readonly string[];
  readonly script: string | null;
}

export function define(command: Command, terminal: Terminal): void {
  command
    .argument("<workspace>", "Name of a running workspace, or a script's path (see below)")
    .argument("[command...]", "Program and its arguments, behind --")
    .addOption(
      new Option("-e, --env <K=V>", "Environment variable; may be repeated").argParser(
        (value: string, before: string[] | undefined) => [...(before ?? []), value],
      ),
    )
    .option("--cwd <path>", "Working directory (default: the image's)")
    .option("--user <user>", "name, uid, name:group or uid:gid (default: the image's)")
    .option("--stdin <path>", "Standard input: a host file, or - for our own (default: none)")
    .option("--script <path>", "Copy a host file in and give its path as the last argument")
    .option("--timeout <duration>", "Bound on the command, such as 90s or 5m (default: none)")
    .option("--stream", "Show output as it comes (the default but for --json)")
    .option("--stdout-limit <bytes>", "Output kept for --json (default 10 MiB)")
    .option("--stderr-limit <bytes>", "The same for standard error")
    .option(...stateDirOption)
    .addHelpText("after", help)
    .action(async (first: string, words: string[], options: ExecOptions) => {
      const asked = readAsked(first, words, options, terminal.environment.MICROAGENT_WORKSPACE);
      const given = readCommand(asked.argv, options);
      const { attachWorkspace, stateLayout } = await import("../../index.ts");
      // While the command runs a signal is for it, so nothing but the command ends by it.
      await interruptibly(terminal, "exec", async (op) => {
        await using workspace = await attachWorkspace(op, stateLayout(options), asked.name);
        const script = await bringScript(op, workspace, asked.script);
        const argv = script === null ? given.argv : [...given.argv, script];
        try {
          await run(op, terminal, workspace, { ...given, argv }, options);
        } catch (error) {
          await notStarted(terminal, error);
        } finally {
          if (script !== null) await removeScript(workspace, script);
        }
      });
    });
}

const help = `
Runs a program in a running workspace. Its exit code becomes ours; 124 when its timeout ended it, 128 and the signal's number when
a signal did, 126 or 127 when it could not be started. With --json the result is printed when it is over, output as base64.

As the shell of later steps of a GitHub Actions job ("keep: true" starts the workspace in an earlier one):
  shell: microagent exec {0}                             in the workspace that MICROAGENT_WORKSPACE names, by sh -e
  shell: microagent exec NAME --script {0} -- bash -e    by another shell
  shell: microagent exec NAME --stdin {0} -- sh          the script as standard input

Examples:
  microagent exec dev -- pytest -q
  microagent exec dev -e LEVEL=debug --cwd /app --timeout 5m -- ./run.sh
  tar c . | microagent exec dev --stdin - -- tar x -C /work`;

/** A path is no name: then it is a script for the workspace that the environment names. */
function readAsked(
  first: string,
  words: readonly string[],
  options: ExecOptions,
  fromEnvironment: string | undefined,
): Asked {
  const script = options.script ?? null;
  if (!first.includes("/")) {
    if (words.length > 0) return { name: first, argv: words, script };
    if (script !== null) return { name: first, argv: ["sh", "-e"], script };
    throw new MicroagentError("usage", `Command "exec" has nothing to run in "${first}"`, {
      hint: `For example: microagent exec ${first} -- uname -a`,
    });
  }
  if (fromEnvironment !== undefined && fromEnvironment !== "") {
    return { name: fromEnvironment, argv: words.length > 0 ? words : ["sh", "-e"], script: first };
  }
  throw new MicroagentError("usage", `"${first}" is no name of a workspace`, {
    hint: "A script's path is run in the workspace that MICROAGENT_WORKSPACE names, which is not set",
  });
}

function readCommand(argv: readonly string[], options: ExecOptions): GuestCommand {
  const env: Record<string, string> = {};
  for (const line of options.env ?? []) {
    const at = line.indexOf("=");
    if (at < 1) {
      throw new MicroagentError(
        "invalid_argument",
        `Value "${line}" of --env is not acceptable: wanted NAME=VALUE`,
      );
    }
    env[line.slice(0, at)] = line.slice(at + 1);
  }
  const { cwd, user, timeout } = options;
  const timeoutMs = timeout === undefined ? undefined : durationFlag("--timeout", timeout);
  return { argv, env, cwd, user, timeoutMs };
}

async function run(
  op: Op,
  terminal: Terminal,
  workspace: AttachedWorkspace,
  command: GuestCommand,
  options: ExecOptions,
): Promise<void> {
  const { stdin } = options;
  const input: InputSource = stdin === undefined ? null : stdin === "-" ? "own" : { path: stdin };
  if (!terminal.json) return await runInWorkspace(op, terminal, workspace, command, input);
  const { stdoutLimit, stderrLimit } = options;
  const { readInput } = await import("../read-input.ts");
  const result = await workspace.run(op, command, {
    stdin: input === null ? undefined : await readInput(op, input),
    stdoutLimit: stdoutLimit === undefined ? undefined : countFlag("--stdout-limit", stdoutLimit),
    stderrLimit: stderrLimit === undefined ? undefined : countFlag("--stderr-limit", stderrLimit),
  });
  terminal.exitCode = exitCodeOfResult(result);
  await terminal.writeOut(jsonText(execResultJson(result)));
}

/** A command that never ran is told apart from one that ran and failed. */
async function notStarted(terminal: Terminal, error: unknown): Promise<void> {
  if (!isMicroagentError(error) || error.code !== "exec_not_started") throw error;
  const { reportError } = await import("../render/error.ts");
  await reportError(error, terminal);
  terminal.exitCode = error.details.errno === "ENOENT" ? 127 : 126;
}

async function bringScript(
  op: Op,
  workspace: AttachedWorkspace,
  hostPath: string | null,
): Promise<string | null> {
  if (hostPath === null) return null;
  const guestPath = `/tmp/microagent-${randomBytes(6).toString("hex")}-${basename(hostPath)}`;
  const { copyIntoGuest } = await import("../../index.ts");
  await copyIntoGuest(op, workspace, hostPath, guestPath);
  return guestPath;
}

/** Nobody misses it: the workspace may be gone. */
async function removeScript(workspace: AttachedWorkspace, path: string): Promise<void> {
  const { withOp } = await import("../../index.ts");
  const remove = (op: Op) => workspace.agent.remove(op, path, { recursive: false });
  // The command's own op may be over.
  await withOp("exec", { timeoutMs: removeMs }, remove).catch(() => {});
}
