import type { Command } from "commander";
import { defineOneShot } from "../one-shot.ts";
import type { Terminal } from "../terminal.ts";

export function define(command: Command, terminal: Terminal): void {
  defineOneShot(command, terminal, "run");
  command.addHelpText(
    "after",
    `
Without a command the image's own Entrypoint and Cmd run.

Examples:
  microagent run docker.io/library/ubuntu:24.04 uname -a
  microagent run --image docker.io/library/ubuntu:24.04 --exec "uname -a | tee /out.txt" --output out=/out.txt
  microagent run --accel tcg --memory 256 oci:./layout:latest`,
  );
}
