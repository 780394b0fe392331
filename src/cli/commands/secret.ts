import type { Command } from "commander";
import { tableText } from "../render/table.ts";
import type { Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

export function define(command: Command, terminal: Terminal): void {
  const print = (value: unknown) => terminal.writeOut(`${JSON.stringify(value, null, 2)}\n`);

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
}
