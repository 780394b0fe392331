import { posix } from "node:path";
import type { ProgramEnd, ProgramRun } from "./guest-script.ts";

/**
 * `sh -c TEXT` for scripts, far from a real shell: commands of plain or quoted words, joined by `;`,
 * newlines or `&&`, each with an optional `> FILE` or `>&2` at its end; `exit N`. Anything else that a
 * shell would interpret ends with code 2 and says so, rather than being misunderstood.
 */
export async function runShell(run: ProgramRun): Promise<ProgramEnd> {
  if (run.argv[1] !== "-c" || run.argv[2] === undefined) {
    await run.stderr("sh: only sh -c TEXT is understood by the in-memory guest\n");
    return 2;
  }
  const commands = parse(run.argv[2]);
  if (typeof commands === "string") {
    await run.stderr(`sh: ${commands} is not understood by the in-memory guest\n`);
    return 2;
  }
  let end: ProgramEnd = 0;
  for (const command of commands) {
    if (command.onlyAfterSuccess && end !== 0) continue;
    if (run.signal.aborted) return end;
    if (command.words[0] === "exit") return Number(command.words[1] ?? 0) & 0xff;
    end = await runOne(run, command);
  }
  return end;
}

interface ShellCommand {
  readonly words: string[];
  onlyAfterSuccess: boolean;
  /** File, `&2`, or null for standard output. */
  target: string | null;
}

async function runOne(run: ProgramRun, command: ShellCommand): Promise<ProgramEnd> {
  const name = command.words[0] ?? "";
  const program = run.program(name);
  if (program === null) {
    await run.stderr(`sh: ${name}: not found\n`);
    return 127;
  }
  if (command.target === null) return await program({ ...run, argv: command.words });
  if (command.target === "&2") {
    return await program({ ...run, argv: command.words, stdout: run.stderr });
  }
  const parts: Buffer[] = [];
  const stdout = async (data: string | Uint8Array) => {
    parts.push(typeof data === "string" ? Buffer.from(data) : Buffer.from(data));
  };
  const end = await program({ ...run, argv: command.words, stdout });
  run.files.write(posix.resolve(run.cwd, command.target), Buffer.concat(parts));
  return end;
}

const token = /\s*(?:(;|\n|&&|>&2|>)|((?:'[^']*'|"[^"$`\\]*"|[^\s;&|<>()$`\\"'*?#~{}[\]!])+))/y;

/** The commands of a text, or what in it is not understood. */
function parse(text: string): ShellCommand[] | string {
  const commands: ShellCommand[] = [];
  let current: ShellCommand = { words: [], onlyAfterSuccess: false, target: null };
  let wantsTarget = false;
  const close = (onlyAfterSuccess: boolean) => {
    if (current.words.length > 0) commands.push(current);
    current = { words: [], onlyAfterSuccess, target: null };
  };
  const source = text.replaceAll(/[ \t]*\n\s*/g, ";").trim();
  for (let at = 0; at < source.length; ) {
    token.lastIndex = at;
    const match = token.exec(source);
    if (match === null) return JSON.stringify(source.slice(at, at + 20));
    at = token.lastIndex;
    const [, operator, word] = match;
    if (word !== undefined) {
      const plain = word.replaceAll(/'([^']*)'|"([^"]*)"/g, "$1$2");
      if (wantsTarget) current.target = plain;
      else current.words.push(plain);
      wantsTarget = false;
    } else if (operator === ">&2") current.target = "&2";
    else if (operator === ">") wantsTarget = true;
    else close(operator === "&&");
  }
  close(false);
  return commands;
}
