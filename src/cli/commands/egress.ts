import type { Command } from "commander";
import { withoutControls } from "../../base/foreign-text.ts";
import type { AuditRecord } from "../../index.ts";
import { tableText } from "../render/table.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, readerGoneCode, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

export function define(command: Command, terminal: Terminal): void {
  command
    .description("Show what a workspace reached and what it was denied")
    .argument("<workspace>", "Name of a running or kept workspace")
    .option("--follow", "Go on until the workspace has ended; with --json one line per decision")
    .option(...stateDirOption)
    .action(async (name: string, options: { follow?: boolean; stateDir?: string }) => {
      const { egressOf, followEgress, stateLayout } = await import("../../index.ts");
      const layout = stateLayout({ stateDir: options.stateDir });
      if (options.follow === true) {
        await withProgress(terminal, "egress", async (op) => {
          for await (const record of await followEgress(op, layout, name)) {
            const line = terminal.json ? JSON.stringify(record) : lineOf(record);
            await terminal.writeOut(`${line}\n`);
            if (!terminal.readerGone) continue;
            terminal.exitCode = readerGoneCode;
            break;
          }
        });
        return;
      }
      const { events, integrity } = await egressOf(layout, name);
      // A record with a hole must not look like one without.
      if (integrity !== "complete") terminal.exitCode = 1;
      if (terminal.json) {
        const document = { workspace: name, egress: events, integrity };
        await terminal.writeOut(jsonText(document));
        return;
      }
      await terminal.writeOut(
        tableText(["TIME", "EVENT", "HOST", "DESTINATION", "REASON"], events.map(cellsOf)),
      );
      if (integrity !== "complete") {
        await terminal.writeErr(`warning: the audit is not complete: ${integrity.problem}\n`);
      }
    });
}

function lineOf(record: AuditRecord): string {
  return cellsOf(record).join("  ");
}

function cellsOf({ ts, event, host, dst, reason, signal }: AuditRecord): string[] {
  const why = signal === undefined ? reason : `${reason} (${signal})`;
  return [ts, event, host || "-", dst || "-", why].map(withoutControls);
}
