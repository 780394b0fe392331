import type { Command } from "commander";
import { listWorkspaces, stateLayout } from "../../index.ts";
import { tableText } from "../render/table.ts";
import type { Terminal } from "../terminal.ts";

export function define(command: Command, terminal: Terminal): void {
  command
    .option("--state-dir <dir>", "State directory (also: MICROAGENT_STATE_DIR)")
    .action(async (options: { stateDir?: string }) => {
      const found = await listWorkspaces(stateLayout({ stateDir: options.stateDir }));
      if (terminal.json) {
        const workspaces = found.map((each) => ({
          name: each.name,
          state: each.state,
          backend: each.backend,
          owner_pid: each.ownerPid,
          vmm_pid: each.vmmPid,
          started_at: each.startedAt?.toISOString() ?? null,
          path: each.path,
        }));
        await terminal.writeOut(`${JSON.stringify({ workspaces }, null, 2)}\n`);
        return;
      }
      await terminal.writeOut(
        tableText(
          ["NAME", "STATE", "BACKEND", "VMM PID", "STARTED"],
          found.map((each) => [
            each.name,
            each.state,
            each.backend ?? "-",
            each.vmmPid?.toString() ?? "-",
            each.startedAt?.toISOString() ?? "-",
          ]),
        ),
      );
    });
}
