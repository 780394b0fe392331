import type { Command } from "commander";
import { errorJson } from "../../base/error-json.ts";
import { isMicroagentError } from "../../base/errors.ts";
import { withoutControls } from "../../base/foreign-text.ts";
import type { Problem } from "../../index.ts";
import type { Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

export function define(command: Command, terminal: Terminal): void {
  command
    .command("validate")
    .description("Check a spec file; every problem is told with its place")
    .argument("<file>", "Spec file (microagent.yaml)")
    .action(async (file: string) => {
      const { loadSpec, problemsOf } = await import("../../index.ts");
      try {
        const loaded = await withProgress(terminal, "spec", (op) => loadSpec(op, file));
        const kind = loaded.spec.agent === undefined ? "workspace" : "agentfile";
        await terminal.writeOut(
          terminal.json
            ? `${JSON.stringify({ ok: true, file, kind, name: loaded.spec.name ?? null })}\n`
            : `${file}: valid ${kind === "agentfile" ? "Agentfile" : "workspace spec"}\n`,
        );
      } catch (error) {
        if (!isMicroagentError(error)) throw error;
        const problems = problemsOf(error);
        if (problems.length === 0) throw error;
        terminal.exitCode = 1;
        const count = Number(error.details.problemCount);
        await terminal.writeErr(
          terminal.json
            ? `${JSON.stringify({ ok: false, error: errorJson(error), problems, count })}\n`
            : problemsText(problems, count),
        );
      }
    });
}

function problemsText(problems: readonly Problem[], count: number): string {
  const hidden = count - problems.length;
  return [
    ...problems.map(problemText),
    ...(count > 1
      ? [`${count} problems${hidden > 0 ? `, ${hidden} of them not shown` : ""}\n`]
      : []),
  ].join("");
}

function problemText(problem: Problem): string {
  const { file, line, column, sentence, frame, nearest } = problem;
  const hint = nearest === null ? problem.hint : `Did you mean "${nearest}"?`;
  const lines = [`error: ${file}:${line}:${column}: ${sentence}`, "", frame, ""];
  if (hint !== null) lines.push(`hint: ${hint}`, "");
  return withoutControls(`${lines.join("\n")}\n`);
}
