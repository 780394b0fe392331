import type { Command } from "commander";
import { withoutControls } from "../../base/foreign-text.ts";
import type { LifecycleEvent } from "../../index.ts";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import { tableText } from "../render/table.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

export function define(command: Command, terminal: Terminal): void {
  takesWorkspace(command)
    .option("--follow", "Go on until the workspace has ended; with --json one line per event")
    .addHelpText(
      "after",
      `
Prints the states that a workspace has been in, the oldest first, with when and why. The last 1024 are remembered.`,
    )
    .action(async (given: string | undefined, options: WorkspaceOptions & { follow?: true }) => {
      const name = workspaceName("events", given, options);
      const { eventsOf, followEvents, stateLayout } = await import("../../index.ts");
      const layout = stateLayout(options);
      if (options.follow === true) {
        await withProgress(terminal, "events", async (op) => {
          for await (const event of await followEvents(op, layout, name)) {
            const line = terminal.json ? JSON.stringify(event) : cellsOf(event).join("  ");
            await terminal.writeOut(`${line}\n`);
          }
        });
        return;
      }
      const events = await eventsOf(layout, name);
      await terminal.writeOut(
        terminal.json
          ? jsonText({ workspace: name, events })
          : tableText(["TIME", "STATE", "DETAIL"], events.map(cellsOf)),
      );
    });
}

function cellsOf({ observedAt, state, detail }: LifecycleEvent): string[] {
  return [observedAt, state, detail ?? "-"].map(withoutControls);
}
