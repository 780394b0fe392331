import type { Command } from "commander";
import { errorJson } from "../../base/error-json.ts";
import { asMicroagentError } from "../../base/errors.ts";
import { reportError } from "../render/error.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

interface DeleteOptions {
  readonly yes?: true;
  readonly force?: true;
  readonly reason?: string;
  readonly stateDir?: string;
}

export function define(command: Command, terminal: Terminal): void {
  command
    .argument("<names...>", "Names of workspaces")
    .option("--yes", "Stop those that run, in good order")
    .option("--force", "End those that run at once, and remove what is damaged")
    .option("--reason <text>", "Why, for the record")
    .option(...stateDirOption)
    .addHelpText(
      "after",
      `
Removes workspaces with their disks and snapshots. One that does not exist is no error; one that runs is, without --yes or
--force. What was made of its snapshots stays.

Example:
  microagent delete dev twin --yes`,
    )
    .action(async (names: string[], options: DeleteOptions) => {
      const { deleteWorkspace, stateLayout } = await import("../../index.ts");
      const layout = stateLayout(options);
      const { yes, force, reason } = options;
      const deleted: Record<string, unknown>[] = [];
      await withProgress(terminal, "delete", async (op) => {
        for (const name of names) {
          try {
            const done = await deleteWorkspace(op, layout, name, { halt: yes, force, reason });
            deleted.push({ workspace: name, ok: true, deleted: done });
            if (!terminal.json)
              await terminal.writeOut(`${name}: ${done ? "deleted" : "not there"}\n`);
          } catch (error) {
            op.check();
            // One that cannot go is no reason to keep the others.
            const known = asMicroagentError(error);
            terminal.exitCode = 1;
            deleted.push({ workspace: name, ok: false, deleted: false, error: errorJson(known) });
            if (!terminal.json) await reportError(known, terminal);
          }
        }
      });
      if (terminal.json) {
        const ok = deleted.every((each) => each.ok === true);
        await terminal.writeOut(jsonText({ ok, workspaces: deleted }));
      }
    });
}
