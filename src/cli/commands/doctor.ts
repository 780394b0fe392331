import type { Command } from "commander";
import { terminalLine } from "../../base/foreign-text.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

export function define(command: Command, terminal: Terminal): void {
  command
    .option("--fix", "Run the commands that mend what was found (apt needs root or sudo)")
    .option("--reprobe", "Prove the acceleration again, whatever was found before (--fix does too)")
    .option(...stateDirOption)
    .addHelpText(
      "after",
      `
Every fact is found the way a boot finds it: a hypervisor counts only when a guest booted with it.
Verdicts: ok; degraded (something less works, exit 0); failed (nothing boots, exit 1).`,
    )
    .action(async (options: { fix?: boolean; reprobe?: boolean; stateDir?: string }) => {
      const engine = await import("../../index.ts");
      const parts = engine.createEngine(engine.stateLayout(options));
      const diagnosis = await withProgress(terminal, "doctor", async (op) => {
        const found = await engine.diagnose(op, parts, { fresh: options.reprobe === true });
        return options.fix === true ? await engine.mend(op, parts, found) : found;
      });
      if (diagnosis.verdict === "failed") terminal.exitCode = 1;
      if (terminal.json) {
        await terminal.writeOut(jsonText(engine.diagnosisJson(diagnosis)));
        return;
      }
      const marks = { ok: "ok      ", degraded: "degraded", failed: "FAILED  " } as const;
      for (const check of diagnosis.checks) {
        await terminal.writeOut(`${marks[check.verdict]}  ${terminalLine(check.found)}\n`);
        if (check.remedy !== null)
          await terminal.writeOut(`          fix: ${check.remedy.command}\n`);
      }
      const mendable = diagnosis.checks.some((check) => check.remedy !== null);
      const hint = mendable && options.fix !== true ? " (microagent doctor --fix mends it)" : "";
      await terminal.writeOut(`verdict: ${diagnosis.verdict}${hint}\n`);
    });
}
