import type { Command } from "commander";
import { withoutControls } from "../../base/foreign-text.ts";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import { statusText } from "../render/status.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";
import { workspaceStatus } from "../workspace-status.ts";

export function define(command: Command, terminal: Terminal): void {
  takesWorkspace(command)
    .addHelpText(
      "after",
      `
States: prepared, starting, running, paused, stopping, halted (by "stop"), stopped (ended by itself, or by "kill"),
failed. "microagent inspect" prints the same as JSON.`,
    )
    .action(async (given: string | undefined, options: WorkspaceOptions) => {
      const name = workspaceName("status", given, options);
      const { stateLayout } = await import("../../index.ts");
      const status = await withProgress(terminal, "status", (op) =>
        workspaceStatus(op, stateLayout(options), name),
      );
      await terminal.writeOut(
        terminal.json ? jsonText(status) : withoutControls(statusText(status)),
      );
    });
}
