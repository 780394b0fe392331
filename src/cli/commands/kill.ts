import type { Command } from "commander";
import { MicroagentError } from "../../base/errors.ts";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import type { Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";
import { writeState } from "../write-state.ts";

export function define(command: Command, terminal: Terminal): void {
  takesWorkspace(command)
    .option("--reason <text>", "Why, for the record; required")
    .option("--yes", "Accepted for scripts that say so; nothing is asked")
    .addHelpText(
      "after",
      `
Ends the machine at once, without its cooperation; what it had not written to its disk is lost. The state is "stopped" then.

Example:
  microagent kill dev --reason "hangs in a loop"`,
    )
    .action(async (given: string | undefined, options: WorkspaceOptions & { reason?: string }) => {
      const name = workspaceName("kill", given, options);
      const { reason } = options;
      if (reason === undefined || reason.trim() === "") {
        throw new MicroagentError("usage", 'Command "kill" wants a reason', {
          hint: `For example: microagent kill ${name} --reason "does not answer"`,
        });
      }
      const { killWorkspace, stateLayout } = await import("../../index.ts");
      const current = await withProgress(terminal, "kill", (op) =>
        killWorkspace(op, stateLayout(options), name, reason),
      );
      await writeState(terminal, name, current);
    });
}
