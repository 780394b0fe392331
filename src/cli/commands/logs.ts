import type { Command } from "commander";
import { withoutControls } from "../../base/foreign-text.ts";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import { jsonText, readerGoneCode, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

export function define(command: Command, terminal: Terminal): void {
  takesWorkspace(command)
    .option("--follow", "Go on until the workspace has ended")
    .addHelpText(
      "after",
      `
Prints the console of the guest: its kernel and its agent. Output of commands is not there: see "microagent exec" and
"microagent result".`,
    )
    .action(async (given: string | undefined, options: WorkspaceOptions & { follow?: true }) => {
      const name = workspaceName("logs", given, options);
      const { followConsole, readConsole, stateLayout } = await import("../../index.ts");
      const layout = stateLayout(options);
      if (options.follow !== true) {
        const { path, text } = await readConsole(layout, name);
        const document = { workspace: name, path, log: text };
        await terminal.writeOut(terminal.json ? jsonText(document) : shown(terminal, text));
        return;
      }
      await withProgress(terminal, "logs", async (op) => {
        for await (const text of await followConsole(op, layout, name)) {
          const line = `${JSON.stringify({ workspace: name, log: text })}\n`;
          await terminal.writeOut(terminal.json ? line : shown(terminal, text));
          if (!terminal.readerGone) continue;
          terminal.exitCode = readerGoneCode;
          break;
        }
      });
    });
}

/** Whoever has it written to a file gets every byte; a terminal is spared what could control it. */
function shown(terminal: Terminal, text: string): string {
  return terminal.stdoutIsTty ? withoutControls(text.replace(/\r\n/g, "\n")) : text;
}
