import type { Command } from "commander";
import { durationFlag } from "../duration-flag.ts";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import type { Terminal } from "../terminal.ts";
import { waitAndTell } from "../wait-and-tell.ts";
import { withProgress } from "../with-progress.ts";

export function define(command: Command, terminal: Terminal): void {
  takesWorkspace(command)
    .option("--timeout <duration>", "Bound, such as 90s or 1h (default: none)")
    .addHelpText(
      "after",
      `
Waits until the workspace is held by no process any more. Exit code 0 when it has stopped, was halted or never ran, 1 when it has failed,
75 when the time is over.`,
    )
    .action(async (given: string | undefined, options: WorkspaceOptions & { timeout?: string }) => {
      const name = workspaceName("wait", given, options);
      const { timeout } = options;
      const timeoutMs = timeout === undefined ? null : durationFlag("--timeout", timeout);
      const { stateLayout } = await import("../../index.ts");
      await withProgress(terminal, "wait", (op) =>
        waitAndTell(op, terminal, stateLayout(options), name, timeoutMs),
      );
    });
}
