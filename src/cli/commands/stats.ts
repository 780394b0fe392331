import type { Command } from "commander";
import { MicroagentError } from "../../base/errors.ts";
import { bytesText } from "../../base/quantity.ts";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import { columnWidths, rowText } from "../render/table.ts";
import { jsonText, readerGoneCode, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

const head = ["PID", "CPU", "MEMORY", "DISK READ", "DISK WRITTEN"];
/** Rows to come may be wider than the first one: those of a machine at work are about this wide. */
const laterRow = ["", "100 %", "1000.0 MiB", "1000.0 MiB", ""];

export function define(command: Command, terminal: Terminal): void {
  takesWorkspace(command, "Name of a running workspace")
    .option("--follow", "Go on until the workspace has ended or is paused")
    .addHelpText(
      "after",
      `
Shows what the machine takes of this host: processor time over half a second, memory, bytes from and to disks.`,
    )
    .action(async (given: string | undefined, options: WorkspaceOptions & { follow?: true }) => {
      const name = workspaceName("stats", given, options);
      if (options.follow === true && terminal.json) {
        throw new MicroagentError("usage", "Following cannot be one JSON document", {
          hint: `One look at a time: microagent --json stats ${name}`,
        });
      }
      const { stateLayout, workspaceStats } = await import("../../index.ts");
      const layout = stateLayout(options);
      await withProgress(terminal, "stats", async (op) => {
        const look = () => workspaceStats(op, layout, name);
        let stats = await look();
        if (terminal.json) {
          await terminal.writeOut(jsonText({ workspace: name, ...stats }));
          return;
        }
        const first = [head, cellsOf(stats)];
        const widths = columnWidths(options.follow === true ? [...first, laterRow] : first);
        await terminal.writeOut(rowText(head, widths));
        for (;;) {
          await terminal.writeOut(rowText(cellsOf(stats), widths));
          if (options.follow !== true) return;
          if (terminal.readerGone) break;
          stats = await look();
        }
        terminal.exitCode = readerGoneCode;
      });
    });
}

function cellsOf(stats: {
  readonly pid: number;
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly ioReadBytes: number | null;
  readonly ioWriteBytes: number | null;
}): string[] {
  const amount = (bytes: number | null) => (bytes === null ? "-" : bytesText(bytes));
  const { pid, cpuPercent, memoryBytes, ioReadBytes, ioWriteBytes } = stats;
  return [
    `${pid}`,
    `${cpuPercent} %`,
    amount(memoryBytes),
    amount(ioReadBytes),
    amount(ioWriteBytes),
  ];
}
