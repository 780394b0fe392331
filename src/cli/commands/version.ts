import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";

export function define(command: Command, terminal: Terminal): void {
  command.action(async () => {
    await terminal.writeOut(
      terminal.json
        ? `${JSON.stringify({ version: terminal.version, node: process.version })}\n`
        : `microagent ${terminal.version}\n`,
    );
  });
}
