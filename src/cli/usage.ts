import { MicroagentError } from "../base/errors.ts";

/** What the parser says about a command line it cannot read, in our form; `help` shows how to write it. */
export function usageError(
  message: string,
  argv: readonly string[],
  help: string,
): MicroagentError {
  const [first = "", ...rest] = message.replace(/^error: /, "").split("\n");
  const text = first
    .replace(/^too many arguments for '([^']*)'\. Expected (\d+).* got (\d+)\.$/, tooMany)
    .replace(/'([^']*)'/g, '"$1"')
    .replace(/\.$/, "");
  const meant = /^\(Did you mean (?:one of )?(.*)\?\)$/.exec(rest.join(" "))?.[1];
  return new MicroagentError("usage", text.charAt(0).toUpperCase() + text.slice(1), {
    hint: hintFor(text, meant, argv, help),
  });
}

function tooMany(_all: string, command: string, wanted: string, got: string): string {
  const given = got === "1" ? "1 argument" : `${got} arguments`;
  return `command "${command}" was given ${given}: wanted ${wanted === "0" ? "none" : `at most ${wanted}`}`;
}

const globalOptions = ["--json", "--no-color", "--debug"];

function hintFor(
  text: string,
  meant: string | undefined,
  argv: readonly string[],
  help: string,
): string {
  const misplaced = globalOptions.find((option) => text.endsWith(`"${option}"`));
  if (misplaced !== undefined) {
    return `It stands before the command: microagent ${misplaced} ${commandOf(argv) ?? "COMMAND"} ...`;
  }
  const shows = `${help} shows how`;
  return meant === undefined ? shows : `Did you mean ${meant}? ${shows}`;
}

/** The first argument that is not a global option: the command's name. */
export function commandOf(argv: readonly string[]): string | undefined {
  return argv[commandIndex(argv)];
}

/** Whether the options before the command, or the environment, ask for JSON. */
export function asksForJson(argv: readonly string[], fromEnvironment: string | undefined): boolean {
  const globals = argv.slice(0, commandIndex(argv));
  const at = globals.lastIndexOf("--output");
  const joined = globals.findLast((word) => word.startsWith("--output="))?.slice(9);
  const format = joined ?? (at < 0 ? fromEnvironment : globals[at + 1]);
  return globals.includes("--json") || format === "json";
}

function commandIndex(argv: readonly string[]): number {
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (word === "--output") i++;
    else if (!word.startsWith("-")) return i;
  }
  return argv.length;
}
