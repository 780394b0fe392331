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
Freezes the machine with everything in it: it takes no processor time, keeps its memory, and its clock stands still.
Commands in it are frozen too, and new ones are refused, until "microagent resume".`,
    )
    .action(async (given: string | undefined, options: WorkspaceOptions) => {
      const name = workspaceName("pause", given, options);
      const { attachWorkspace, stateLayout } = await import("../../index.ts");
      const current = await withProgress(terminal, "pause", async (op) => {
        await using workspace = await attachWorkspace(op, stateLayout(options), name);
        await workspace.pause(op);
        return await workspace.state();
      });
      await writeState(terminal, name, current);
    });
}
