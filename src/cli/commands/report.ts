import type { Command } from "commander";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

interface PageOptions {
  readonly html?: boolean;
  readonly out?: string;
}

interface MergeOptions {
  readonly summary?: string;
  readonly junit?: string;
}

export function define(command: Command, terminal: Terminal): void {
  command
    .argument("[dir]", "Output directory of a run, or its result.json")
    .option("--html", "Write one self-contained page about the run")
    .option("--out <file>", "Where to write the page (default: report.html in that directory)")
    .action(async (dir: string | undefined, options: PageOptions) => {
      if (dir === undefined) {
        command.outputHelp();
        return;
      }
      const engine = await import("../../index.ts");
      if (options.html !== true) {
        const merged = await withProgress(terminal, "report", (op) =>
          engine.mergeReports(op, [dir]),
        );
        await terminal.writeOut(terminal.json ? jsonText(merged) : merged.markdown);
        return;
      }
      const page = await withProgress(terminal, "report", (op) => engine.renderReportPage(op, dir));
      const out = options.out ?? pageBeside(dir);
      await engine.writeReport(out, page);
      const bytes = Buffer.byteLength(page);
      await terminal.writeOut(
        terminal.json ? `${JSON.stringify({ path: out, bytes })}\n` : `${out}\n`,
      );
    });

  command
    .command("merge")
    .description("Merge the records of several runs into one summary and one JUnit file")
    .argument("<dir...>", "Output directories of runs, or their result.json files")
    .option("--summary <file>", "Write the summary (Markdown) to this file")
    .option("--junit <file>", "Write a JUnit XML file")
    .action(async (dirs: string[], options: MergeOptions) => {
      const engine = await import("../../index.ts");
      const merged = await withProgress(terminal, "report", (op) => engine.mergeReports(op, dirs));
      if (options.summary !== undefined) await engine.writeReport(options.summary, merged.markdown);
      if (options.junit !== undefined) await engine.writeReport(options.junit, merged.junit);
      await terminal.writeOut(terminal.json ? jsonText(merged) : merged.markdown);
    });
}

function pageBeside(dir: string): string {
  return dir.endsWith(".json") ? dir.replace(/[^/]*$/, "report.html") : `${dir}/report.html`;
}
