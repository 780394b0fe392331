import type { Command } from "commander";
import { MicroagentError } from "../../base/errors.ts";
import { withoutControls } from "../../base/foreign-text.ts";
import { copyOut, reportCopy } from "../copy-files.ts";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import { tableText } from "../render/table.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

export function define(command: Command, terminal: Terminal): void {
  takesWorkspace(command)
    .addHelpText(
      "after",
      `
Without "get" it lists what the workspace declares: files that it was given, and outputs (--output NAME=PATH).

Examples:
  microagent artifact dev
  microagent artifact get dev report ./report.xml`,
    )
    .action(async (given: string | undefined, options: WorkspaceOptions) => {
      const name = workspaceName("artifact", given, options);
      const { inspectWorkspace, stateLayout } = await import("../../index.ts");
      const { record } = await inspectWorkspace(stateLayout(options), name);
      const { files, outputs } = record.plan;
      const ingress = files.map(({ src, dst }) => ({ name: src, path: dst, kind: "file" }));
      const egress = outputs.map(({ name: output, path }) => ({
        name: output,
        path,
        kind: "output",
      }));
      if (terminal.json) {
        await terminal.writeOut(jsonText({ workspace: name, artifacts: { ingress, egress } }));
        return;
      }
      const rows = [...ingress, ...egress].map((each) =>
        [each.kind === "file" ? "in" : "out", each.name, each.path].map(withoutControls),
      );
      await terminal.writeOut(tableText(["WAY", "NAME", "GUEST PATH"], rows));
    });

  command
    .command("get <workspace> <artifact> <target>")
    .description("Copy a declared output to this host, from a workspace that runs or does not")
    .option(...stateDirOption)
    .action(
      async (name: string, artifact: string, target: string, options: { stateDir?: string }) => {
        const engine = await import("../../index.ts");
        const layout = engine.stateLayout(options);
        const { record } = await engine.inspectWorkspace(layout, name);
        const { outputs } = record.plan;
        const found = outputs.find((output) => output.name === artifact);
        if (found === undefined) {
          const declared = outputs.map((output) => `"${output.name}"`).join(", ");
          throw new MicroagentError(
            "invalid_argument",
            `Workspace "${name}" declares no output "${artifact}", wanted ${declared === "" ? "one that it declares, and it declares none" : `one of ${declared}`}`,
            { hint: `Any file can be copied: microagent cp ${name}:/path ./target` },
          );
        }
        const opened = engine.createEngine(layout);
        const copied = await withProgress(terminal, "artifact", (op) =>
          engine.withGuestOf(op, opened, name, (guest) => copyOut(op, guest, found.path, target)),
        );
        const document = { workspace: name, artifact, target: copied.target };
        await reportCopy(terminal, document, copied);
      },
    );
}
