import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";

export function define(command: Command, terminal: Terminal): void {
  command
    .command("validate")
    .description("Check a spec file; every problem is told with its place")
    .argument("<file>", "Spec file (microagent.yaml)")
    .action(async (file: string) => {
      const { loadSpec, withOp } = await import("../../index.ts");
      const loaded = await withOp("spec", {}, (op) => loadSpec(op, file));
      const kind = loaded.spec.agent === undefined ? "workspace" : "agentfile";
      await terminal.writeOut(
        terminal.json
          ? `${JSON.stringify({ ok: true, file, kind, name: loaded.spec.name ?? null })}\n`
          : `${file}: valid ${kind === "agentfile" ? "Agentfile" : "workspace spec"}\n`,
      );
    });
}
