import type { Command } from "commander";
import { MicroagentError } from "../base/errors.ts";
import { stateDirOption } from "./state-dir-option.ts";

/** Options of every command that is about one workspace. */
export interface WorkspaceOptions {
  readonly stateDir?: string;
  readonly name?: string;
  readonly id?: string;
}

/** Gives a command the name of a workspace, positional or as a flag. */
export function takesWorkspace(command: Command, what = "Name of a workspace"): Command {
  return command
    .argument("[name]", what)
    .option("--name <name>", "The same as the argument")
    .option("--id <name>", "The same as the argument")
    .option(...stateDirOption);
}

/** The name that was given; a missing one is a usage error. */
export function workspaceName(
  command: string,
  given: string | undefined,
  options: WorkspaceOptions,
): string {
  const names = [given, options.name, options.id].filter((each) => each !== undefined);
  const [name] = names;
  if (name !== undefined && names.every((each) => each === name)) return name;
  const found = names.length === 0 ? "none" : names.map((each) => `"${each}"`).join(" and ");
  throw new MicroagentError(
    "usage",
    `Command "${command}" wants the name of one workspace, found ${found}`,
    {
      hint: `For example: microagent ${command} NAME (microagent ps shows what there is)`,
    },
  );
}
