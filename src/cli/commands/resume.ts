import type { Command } from "commander";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import type { Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";
import { writeState } from "../write-state.ts";

export function define(command: Command, terminal: Terminal): void {
  takesWorkspace(command)
    .option("--reason <text>", "Accepted for scripts that say so; not kept")
    .addHelpText(
      "after",
      `
Lets a paused workspace go on where it was.`,
    )
    .action(async (given: string | undefined, options: WorkspaceOptions) => {
      const name = workspaceName("resume", given, options);
      const { attachWorkspace, stateLayout } = await import("../../index.ts");
      const current = await withProgress(terminal, "resume", async (op) => {
        await using workspace = await attachWorkspace(op, stateLayout(options), name);
        await workspace.resume(op);
        return await workspace.state();
      });
      await writeState(terminal, name, current);
    });
}
