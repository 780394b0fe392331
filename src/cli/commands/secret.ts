import type { Command } from "commander";
import { tableText } from "../render/table.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

export function define(command: Command, terminal: Terminal): void {
  const print = (value: unknown) => terminal.writeOut(jsonText(value));

  command
    .command("check")
    .description("Resolve references without showing a value; any failure ends nonzero")
    .argument("<name=reference...>", "env:VAR, file:PATH, dotenv:PATH#KEY, vault:..., helper:REF")
    .action(async (texts: string[]) => {
      const { checkSecrets, secretCheckJson } = await import("../../index.ts");
      const checks = await withProgress(terminal, "secret", (op) => checkSecrets(op, texts));
      if (checks.some(({ ok }) => !ok)) terminal.exitCode = 1;
      if (terminal.json) {
        await print(secretCheckJson(checks));
        return;
      }
      const rows = checks.map(({ name, ok, source, bytes, warning, error }) => [
        name ?? "-",
        ok ? "ok" : "failed",
        source ?? "-",
        bytes?.toString() ?? "-",
        error?.message ?? (warning === null ? "" : `warning: ${warning}`),
      ]);
      await terminal.writeOut(tableText(["NAME", "STATUS", "SOURCE", "BYTES", "NOTES"], rows));
    });

  command
    .command("audit")
    .description("Show which secrets a workspace read (runs with --secrets-audit)")
    .argument("<workspace>", "Workspace name")
    .option(...stateDirOption)
    .action(async (name: string, options: { stateDir?: string }) => {
      const { secretAuditOf, stateLayout } = await import("../../index.ts");
      const report = await secretAuditOf(stateLayout({ stateDir: options.stateDir }), name);
      // A record with a hole must not look like one without.
      if (report.problem !== null) terminal.exitCode = 1;
      const accesses = report.accesses.map(({ at, name: secret, access, result }) => ({
        at: at.toISOString(),
        name: secret,
        access,
        result,
      }));
      if (terminal.json) {
        await print({ workspace: name, accesses, problem: report.problem });
        return;
      }
      await terminal.writeOut(
        tableText(
          ["TIME", "NAME", "ACCESS", "RESULT"],
          accesses.map((each) => [each.at, each.name, each.access, each.result]),
        ),
      );
      if (report.problem !== null) {
        await terminal.writeErr(`warning: The record is not whole: ${report.problem}\n`);
      }
    });
}
