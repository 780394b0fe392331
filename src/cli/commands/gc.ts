import type { Command } from "commander";
import { collectGarbage, stateLayout } from "../../index.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

export function define(command: Command, terminal: Terminal): void {
  command
    .option("--kept", "Also remove workspaces that were kept with --keep")
    .option(...stateDirOption)
    .action(async (options: { kept?: boolean; stateDir?: string }) => {
      const layout = stateLayout({ stateDir: options.stateDir });
      const report = await withProgress(terminal, "gc", (op) =>
        collectGarbage(op, layout, { kept: options.kept === true }),
      );
      if (terminal.json) {
        const collected = report.collected.map((each) => ({
          workspace: each.workspace,
          killed_pid: each.killedPid,
          removed_dir: each.removedDir,
        }));
        const { removedKept, unreadable } = report;
        const document = { collected, removed_kept: removedKept, unreadable_leases: unreadable };
        await terminal.writeOut(jsonText(document));
        return;
      }
      for (const each of report.collected) {
        const killed = each.killedPid === null ? "" : `, ended its VMM (pid ${each.killedPid})`;
        await terminal.writeOut(`collected ${each.workspace}${killed}\n`);
      }
      for (const path of report.unreadable) {
        const text = `lease "${path}" cannot be read: what it protects stays until nobody has touched it for a while`;
        await terminal.writeErr(`warning: ${text}\n`);
      }
      for (const name of report.removedKept) await terminal.writeOut(`removed ${name}\n`);
      if (report.collected.length + report.removedKept.length === 0) {
        await terminal.writeOut("nothing to collect\n");
      }
    });
}
