import { Command, CommanderError } from "commander";
import { asMicroagentError, exitCodeOf, MicroagentError } from "../base/errors.ts";
import { catalogue, plannedCommands } from "./catalogue.ts";
import { reportError } from "./render/error.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Runs one command line and returns the process's exit code. Never throws and never exits: whoever
 * called decides about the process.
 */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const program = await buildProgram(argv, terminal);
    if (argv.length === 0) {
      program.outputHelp();
      return 0;
    }
    await program.parseAsync(argv as string[], { from: "user" });
    return terminal.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const known =
      error instanceof CommanderError ? usageError(error.message) : asMicroagentError(error);
    await reportError(known, terminal);
    return exitCodeOf(known);
  }
}

async function buildProgram(argv: readonly string[], terminal: Terminal): Promise<Command> {
  const program = new Command("microagent");
  program
    .description("Disposable Linux microVMs for tests and CI")
    .version(terminal.version, "--version", "Show the version")
    .option("--json", "Print one JSON document on stdout, errors as one JSON line on stderr")
    .option("--output <format>", "json or text")
    .option("--no-color", "Plain text (also: NO_COLOR)")
    .option("--debug", "Show causes and stack traces of failures")
    .showHelpAfterError("(microagent COMMAND --help shows how)")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.writeOut(text),
      // Usage errors are reported once, by runCli, in the chosen form.
      writeErr: () => {},
    })
    .addHelpText(
      "after",
      `
Examples:
  microagent dispatch --file agent.yaml            run an Agentfile, outputs in ./microagent-out
  microagent run docker.io/library/alpine uname -a one command in a fresh machine
  microagent doctor --fix                          install what a boot needs

Exit codes: the guest's own; 1 failure, 2 usage, 75 worth a retry, 124 timeout, 130 interrupted`,
    );
  program.hook("preSubcommand", (parent) => applyGlobals(parent.opts(), terminal));

  const wanted = firstWord(argv);
  for (const entry of catalogue) {
    const command = program.command(entry.name).summary(entry.summary).description(entry.summary);
    for (const alias of entry.aliases) command.alias(alias);
    command.exitOverride().configureOutput({
      writeOut: (text) => void terminal.writeOut(text),
      writeErr: () => {},
    });
    if (wanted === entry.name || (wanted !== undefined && entry.aliases.includes(wanted))) {
      const module = await entry.load();
      module.define(command, terminal);
    }
  }
  if (wanted !== undefined && plannedCommands.includes(wanted)) {
    applyGlobals({ json: argv.includes("--json") }, terminal);
    throw new MicroagentError(
      "not_supported_yet",
      `Command "${wanted}" is not supported yet by this release`,
      { hint: "microagent --help lists what there is; docs/spec-file.md what is planned" },
    );
  }
  return program;
}

function applyGlobals(options: Record<string, unknown>, terminal: Terminal): void {
  const output = options.output ?? terminal.environment.MICROAGENT_OUTPUT;
  if (output !== undefined && output !== "json" && output !== "text") {
    throw new MicroagentError(
      "invalid_argument",
      `Output format "${String(output)}" is unknown: wanted "json" or "text"`,
    );
  }
  terminal.json = options.json === true || output === "json";
  terminal.debug = options.debug === true;
  if (options.color === false) terminal.color = false;
}

/** The first argument that is not a global option: the command's name. */
function firstWord(argv: readonly string[]): string | undefined {
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (word === "--output") i++;
    else if (!word.startsWith("-")) return word;
  }
  return undefined;
}

function usageError(message: string): MicroagentError {
  const text = message.replace(/^error: /, "");
  return new MicroagentError("usage", text.charAt(0).toUpperCase() + text.slice(1), {
    hint: "microagent COMMAND --help shows how",
  });
}
