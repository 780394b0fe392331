import { resolve } from "node:path";
import { MicroagentError } from "../../base/errors.ts";
import { checkedFlag } from "../flags/flag-error.ts";
import { type Flags, flagName } from "../flags.ts";
import type { Place } from "../placed.ts";
import type { PlanCommand, SetupStep } from "../plan.ts";
import { isFilled, isHostPath } from "../schema/checks.ts";
import type { Merging } from "./merging.ts";

/**
 * The one command: a flag, else `agent.entry`, else `entrypoint`, else `service`, else the image's
 * own. Two flags that name a command are a `usage` error.
 */
export function mergeCommand(merging: Merging): PlanCommand {
  const { flags, spec } = merging;
  const given = commandFlags.filter((key) => isGiven(flags[key]));
  if (given.length > 1) {
    throw new MicroagentError(
      "usage",
      `The command is given ${given.length} times (${given.map(flagName).join(" and ")}): wanted one`,
    );
  }
  return merging.pick(
    "command",
    { flag: commandOfFlag(flags, given[0]), spec: commandOfSpec(spec) },
    { kind: "image" },
  );
}

const commandFlags = ["command", "exec", "imageCommand", "entrypoint"] as const;

function isGiven(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
}

function commandOfFlag(
  flags: Flags,
  key: (typeof commandFlags)[number] | undefined,
): PlanCommand | undefined {
  switch (key) {
    case undefined:
      return undefined;
    case "imageCommand":
      return { kind: "image" };
    case "command":
      return { kind: "argv", argv: flags.command ?? [] };
    default:
      return {
        kind: "shell",
        text: checkedFlag(flagName(key), flags[key] ?? "", isFilled, "a shell command"),
      };
  }
}

function commandOfSpec(spec: Merging["spec"]): PlanCommand | undefined {
  const text = spec.agent?.entry ?? spec.entrypoint ?? spec.service;
  return text === undefined ? undefined : { kind: "shell", text };
}

/** Setup commands, then setup files; each list comes whole from the flags or from the spec. */
export function mergeSetup(merging: Merging): readonly SetupStep[] {
  const { flags, spec, baseDir, cwd } = merging;
  const commands = merging.pick<readonly SetupStep[]>(
    "setup",
    {
      flag: nonEmpty(flags.setup)?.map((text) => ({
        kind: "run",
        text: checkedFlag("--setup", text, isFilled, "a shell command"),
      })),
      spec: spec.setup?.map((item, index): SetupStep => {
        if (typeof item === "string") return { kind: "run", text: item };
        if (item.file === undefined) return { kind: "run", text: item.run ?? "" };
        const place: Place = { kind: "spec", path: ["setup", index, "file"] };
        return { kind: "file", path: resolve(baseDir, item.file), place };
      }),
    },
    [],
  );
  const files = merging.pick<readonly SetupStep[]>(
    "setupFiles",
    {
      flag: nonEmpty(flags.setupFile)?.map((path) => ({
        kind: "file",
        path: resolve(
          cwd,
          checkedFlag("--setup-file", path, isHostPath, "the path of a host file"),
        ),
        place: { kind: "flag", flag: "--setup-file" },
      })),
      spec: spec.setupFiles?.map((path, index) => ({
        kind: "file",
        path: resolve(baseDir, path),
        place: { kind: "spec", path: ["setupFiles", index] },
      })),
    },
    [],
  );
  return [...commands, ...files];
}

function nonEmpty<T>(items: readonly T[] | undefined): readonly T[] | undefined {
  return items === undefined || items.length === 0 ? undefined : items;
}
