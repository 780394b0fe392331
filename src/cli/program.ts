import { Command, CommanderError } from "commander";
import { asMicroagentError, exitCodeOf, MicroagentError } from "../base/errors.ts";
import { catalogue, plannedCommands } from "./catalogue.ts";
import { interruptionOf } from "./interruption.ts";
import { reportError } from "./render/error.ts";
import { endingCodes, type Terminal } from "./terminal.ts";
import { asksForJson, commandOf, usageError } from "./usage.ts";

/**
 * Runs one command line and returns the process's exit code. Never throws and never exits: whoever
 * called decides about the process.
 */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  let shown = "";
  const show = (text: string) => {
    shown += text;
  };
  let program: Command | null = null;
  const interruption = interruptionOf(terminal);
  try {
    program = await buildProgram(argv, terminal, show);
    if (argv.length === 0) {
      program.outputHelp();
      return 0;
    }
    await program.parseAsync(argv as string[], { from: "user" });
    return interruption.by === null ? terminal.exitCode : endingCodes[interruption.by];
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      // A group without a subcommand explains itself.
      if (error.code === "commander.help") {
        await terminal.writeOut(shown);
        return 0;
      }
      // The parser gave up before it got to the options that say so.
      terminal.json = asksForJson(argv, terminal.environment.MICROAGENT_OUTPUT);
    }
    const known =
      error instanceof CommanderError
        ? usageError(error.message, argv, helpFor(program, argv))
        : asMicroagentError(error);
    const { by } = interruption;
    // What failed because it was broken off is no news.
    if (by === null || known.code !== "cancelled" || terminal.json) {
      await reportError(known, terminal);
    }
    if (by !== null && !terminal.json) await terminal.writeErr(`interrupted by ${by}\n`);
    return by === null ? exitCodeOf(known) : endingCodes[by];
  }
}

/** The line that shows the help of the command that was asked for, as far as its words are known. */
function helpFor(program: Command | null, argv: readonly string[]): string {
  const path = ["microagent"];
  let at = program;
  const words = argv.slice(argv.indexOf(commandOf(argv) ?? ""));
  for (const word of words.filter((text) => !text.startsWith("-"))) {
    const next = at?.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (next === undefined) break;
    path.push(next.name());
    at = next;
  }
  return [...path, "--help"].join(" ");
}

function asksForHelp(argv: readonly string[]): boolean {
  return argv.some((word) => word === "help" || word === "--help" || word === "-h");
}

async function buildProgram(
  argv: readonly string[],
  terminal: Terminal,
  show: (text: string) => void,
): Promise<Command> {
  const program = new Command("microagent");
  program
    .description("Disposable Linux microVMs for tests and CI")
    .version(terminal.version, "--version", "Show the version")
    .option("--json", "Print one JSON document on stdout, errors as one JSON line on stderr")
    .option("--output <format>", "json or text")
    .option("--no-color", "Plain text (also: NO_COLOR)")
    .option("--debug", "Show causes and stack traces of failures")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.writeOut(text),
      // Usage errors are reported once, by runCli, in the chosen form.
      writeErr: show,
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

  const first = commandOf(argv);
  // The help of a command needs its options, as the command itself does.
  const wanted = first === "help" ? argv[argv.indexOf("help") + 1] : first;
  for (const entry of catalogue) {
    const command = program.command(entry.name).summary(entry.summary).description(entry.summary);
    for (const alias of entry.aliases) command.alias(alias);
    command.exitOverride().configureOutput({
      writeOut: (text) => void terminal.writeOut(text),
      writeErr: show,
    });
    if (wanted === entry.name || (wanted !== undefined && entry.aliases.includes(wanted))) {
      const module = await entry.load();
      module.define(command, terminal);
      if (asksForHelp(argv)) (await import("./examples.ts")).addExamples(command, [entry.name]);
    }
  }
  const instead = wanted === undefined ? undefined : plannedCommands.get(wanted);
  if (wanted !== undefined && instead !== undefined) {
    const json = asksForJson(argv, terminal.environment.MICROAGENT_OUTPUT);
    terminal.json = json || argv.includes("--json");
    throw new MicroagentError(
      "not_supported_yet",
      `Command "${wanted}" is not supported yet by this release`,
      {
        hint:
          instead ||
          "microagent --help lists what there is; docs/workspaces.md and docs/spec-file.md what is planned",
      },
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
