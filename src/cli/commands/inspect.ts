import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";
import { define as defineStatus } from "./status.ts";

/** `status`, for programs. */
export function define(command: Command, terminal: Terminal): void {
  defineStatus(command, terminal);
  command.hook("preAction", () => {
    terminal.json = true;
  });
}
