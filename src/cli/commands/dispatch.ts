import type { Command } from "commander";
import { defineOneShot } from "../one-shot.ts";
import type { Terminal } from "../terminal.ts";

export function define(command: Command, terminal: Terminal): void {
  defineOneShot(command, terminal, "dispatch");
  command.addHelpText(
    "after",
    `
Boots a fresh microVM from a thin base image, runs setup, drops the files in, runs the entry, brings
the declared outputs back and removes everything else. The guest's exit code becomes ours.

Examples:
  microagent dispatch --file agent.yaml
  microagent dispatch --file agent.yaml --exec "python /app/agent.py --fast" --timeout 60
  microagent --json dispatch --file agent.yaml > run.json
  microagent dispatch docker.io/library/alpine echo hello`,
  );
}
