import type { ExecRequest, TerminalSize } from "../agent/exec.ts";
import { environmentOf } from "./command.ts";
import type { Workspace } from "./workspace.ts";

/** A command as people give it; what is left out comes from the image and the workspace. */
export interface GuestCommand {
  readonly argv: readonly string[];
  /** Default: the image's working directory, else `/`. */
  readonly cwd?: string | undefined;
  /** Added to the environment of the image and the workspace. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Default: the image's user, else root. */
  readonly user?: string | undefined;
  readonly stdin?: boolean | undefined;
  readonly tty?: TerminalSize | undefined;
  readonly timeoutMs?: number | undefined;
}

/** The complete request for a command in this workspace. */
export function guestCommand(workspace: Workspace, command: GuestCommand): ExecRequest {
  const { config } = workspace.report.image;
  const env = environmentOf(config, { ...workspace.attachments.env, ...command.env });
  return {
    argv: command.argv,
    env,
    cwd: command.cwd ?? (config.workingDir || "/"),
    user: command.user ?? (config.user || "0:0"),
    stdin: command.stdin ?? false,
    tty: command.tty ?? null,
    timeoutMs: command.timeoutMs ?? null,
  };
}
