import type { Command } from "commander";
import { listWorkspaces, stateLayout } from "../../index.ts";
import { tableText } from "../render/table.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";

export function define(command: Command, terminal: Terminal): void {
  command.option(...stateDirOption).action(async (options: { stateDir?: string }) => {
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
      await terminal.writeOut(jsonText({ workspaces }));
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
