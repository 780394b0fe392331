import type { Command } from "commander";
import { durationFlag } from "../duration-flag.ts";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import type { Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";
import { writeState } from "../write-state.ts";

interface StopOptions extends WorkspaceOptions {
  readonly reason?: string;
  readonly timeout?: string;
}

export function define(command: Command, terminal: Terminal): void {
  takesWorkspace(command)
    .option("--reason <text>", "Why, for the record")
    .option("--timeout <duration>", "How long the guest may take (default 10s)")
    .addHelpText(
      "after",
      `
Powers the guest off in good order: its processes are asked to end, its disk is written and kept. The state is "halted" then. A guest
that does not go in time is left as it is, which is an error; "microagent kill" ends it at once.`,
    )
    .action(async (given: string | undefined, options: StopOptions) => {
      const name = workspaceName("stop", given, options);
      const withinMs = durationFlag("--timeout", options.timeout ?? "10s");
      const { haltWorkspace, stateLayout } = await import("../../index.ts");
      const reason = options.reason ?? null;
      const current = await withProgress(terminal, "stop", (op) =>
        haltWorkspace(op, stateLayout(options), name, { reason, withinMs }),
      );
      await writeState(terminal, name, current);
    });
}
