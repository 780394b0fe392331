import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { MicroagentError } from "../base/errors.ts";
import { deathSignalWords } from "./death-signal.ts";
import { minimalChildEnvironment } from "./environment.ts";
import { onProcessExit } from "./exit-hook.ts";
import { requireTool } from "./find-tool.ts";
import { identityOf, type ProcessIdentity } from "./process-identity.ts";

export interface ChildOptions {
  /** Program name or absolute path. */
  readonly file: string;
  readonly args: readonly string[];
  /** As Node's; every "pipe" is a socket pair that works in both directions. */
  readonly stdio: StdioOptions;
  /** The child's whole environment; without it only PATH, HOME, TMPDIR and the C locale. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  /**
   * SIGKILL for the child when we die, however we die. Linux only, through `setpriv`; the signal
   * is tied to the thread that spawned, so a child of a worker thread ends with that worker. Without
   * `setpriv` or on other systems the exit hook and the lease remain.
   */
  readonly parentDeathSignal: boolean;
  /** Forbids the child to gain privileges by exec (Linux, with the death signal only). */
  readonly noNewPrivileges?: boolean | undefined;
}

export interface ChildExit {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A long-lived child in a process group of its own. */
export interface ChildHandle {
  readonly pid: number;
  /** Null when the child ended before it could be looked at. */
  readonly identity: ProcessIdentity | null;
  /** Node's stdio streams by descriptor number; null where none was asked for. */
  readonly stdio: ChildProcess["stdio"];
  /** Always resolves, never rejects. */
  readonly exit: Promise<ChildExit>;
  readonly exited: boolean;
  /** Signals the whole group; does nothing after the end. */
  kill(signal?: NodeJS.Signals): void;
}

/** Starts a child that ends no later than this process. `host_tool_missing`, `host_tool_failed`. */
export async function spawnChild(options: ChildOptions): Promise<ChildHandle> {
  const file = await requireTool(options.file);
  const wrapper = options.parentDeathSignal ? await deathSignalWords("KILL", options) : [];
  const [command = file, ...args] = [...wrapper, file, ...options.args];
  const child = spawn(command, args, {
    stdio: options.stdio,
    env: { ...(options.env ?? minimalChildEnvironment()) },
    detached: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const handle = track(child);
  const failure = await started(child);
  if (failure !== null || child.pid === undefined) {
    throw new MicroagentError(
      "host_tool_failed",
      `Program "${options.file}" could not be started (${failure?.message ?? "no process"})`,
      { cause: failure },
    );
  }
  return handle(child.pid);
}

function track(child: ChildProcess): (pid: number) => ChildHandle {
  let exited = false;
  const kill = (signal: NodeJS.Signals = "SIGKILL") => {
    if (exited || child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      child.kill(signal);
    }
  };
  const unhook = onProcessExit(() => kill("SIGKILL"));
  const exit = new Promise<ChildExit>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      exited = true;
      unhook();
      resolve({ code, signal });
    };
    child.once("exit", end);
    child.once("error", () => {
      if (child.pid === undefined) end(null, null);
    });
  });
  return (pid) => ({
    pid,
    identity: identityOf(pid),
    stdio: child.stdio,
    exit,
    get exited() {
      return exited;
    },
    kill,
  });
}

function started(child: ChildProcess): Promise<Error | null> {
  return new Promise((resolve) => {
    child.once("spawn", () => resolve(null));
    child.on("error", resolve);
  });
}
