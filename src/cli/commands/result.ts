import type { Command } from "commander";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import { jsonText, type Terminal } from "../terminal.ts";

export function define(command: Command, terminal: Terminal): void {
  takesWorkspace(command)
    .addHelpText(
      "after",
      `
Prints what the command of the workspace's last start came to: its standard output and error as they were, or all of it with --json.`,
    )
    .action(async (given: string | undefined, options: WorkspaceOptions) => {
      const name = workspaceName("result", given, options);
      const { inspectWorkspace, resultOf, stateLayout } = await import("../../index.ts");
      const layout = stateLayout(options);
      const result = await resultOf(layout, name);
      if (!terminal.json) {
        await terminal.writeOut(result.stdout);
        await terminal.writeErr(result.stderr);
        return;
      }
      const { path, current } = await inspectWorkspace(layout, name);
      const identity = { runtimeID: name };
      const backend = current.holder?.backend ?? null;
      const document = { identity, backend, resultPath: `${path}/result.json`, ...result };
      await terminal.writeOut(jsonText(document));
    });
}
