import type { Command } from "commander";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

export function define(command: Command, terminal: Terminal): void {
  command
    .argument("<source>", "Name of a workspace that does not run")
    .argument("<target>", "Name of the copy")
    .option(...stateDirOption)
    .addHelpText(
      "after",
      `
Copies a stopped workspace with its disk under another name; the copy has an identity of its own when it starts. A running one is copied
by a snapshot: microagent snapshot create NAME --tag T, then microagent create COPY --from-snapshot NAME:T.`,
    )
    .action(async (source: string, target: string, options: { stateDir?: string }) => {
      const { cloneWorkspace, stateLayout } = await import("../../index.ts");
      const record = await withProgress(terminal, "clone", (op) =>
        cloneWorkspace(op, stateLayout(options), source, target),
      );
      const document = { ok: true, workspace: record.name, source, state: "prepared" };
      await terminal.writeOut(terminal.json ? jsonText(document) : `${record.name}: prepared\n`);
    });
}
