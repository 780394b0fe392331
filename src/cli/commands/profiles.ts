import type { Command } from "commander";
import { tableText } from "../render/table.ts";
import { jsonText, type Terminal } from "../terminal.ts";

export function define(command: Command, terminal: Terminal): void {
  command.action(async () => {
    const { profiles } = await import("../../index.ts");
    const rows = Object.entries(profiles).map(([name, each]) => ({
      name,
      memory_mib: each.memoryMib,
      cpu_count: each.cpus,
      size_mib: each.sizeMib,
    }));
    await terminal.writeOut(
      terminal.json
        ? jsonText({ profiles: rows })
        : tableText(
            ["PROFILE", "MEMORY MiB", "CPUS", "DISK MiB"],
            rows.map((row) => [
              row.name,
              `${row.memory_mib}`,
              `${row.cpu_count}`,
              `${row.size_mib}`,
            ]),
          ),
    );
  });
}
