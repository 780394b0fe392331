import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";

/** One thing that is wrong with a spec file, and where. */
export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  /** The field, for example `outputs[0].path`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong, without the place and without a period. */
  readonly sentence: string;
  readonly wanted: string | null;
  /** The valid name or value that was probably meant. */
  readonly nearest: string | null;
  readonly hint: string | null;
  /** The line before, the line, and a caret under the offending part. */
  readonly frame: string;
}

/** `file:line:column: sentence`. */
export function problemText(problem: Problem): string {
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.sentence}`;
}

/**
 * The error of a spec file with problems: the first is the message, all of them (at most
 * `limits.spec.problemsMax`) are in `details.problems`.
 */
export function specError(
  problems: readonly [Problem, ...Problem[]],
  count: number = problems.length,
): MicroagentError {
  const [first] = problems;
  const shown = problems.slice(0, limits.spec.problemsMax);
  const more = count - 1;
  return new MicroagentError("spec_invalid", problemText(first), {
    hint: hintOf(first, more),
    details: {
      file: first.file,
      line: first.line,
      column: first.column,
      path: first.path,
      frame: first.frame,
      wanted: first.wanted,
      nearest: first.nearest,
      problems: shown,
      problemCount: count,
    },
  });
}

function hintOf(first: Problem, more: number): string {
  const own =
    first.hint ?? (first.nearest === null ? undefined : `Did you mean "${first.nearest}"?`);
  const others =
    more === 0
      ? undefined
      : `${more} more ${more === 1 ? "problem" : "problems"}: microagent spec validate ${shellWord(first.file)}`;
  return (
    [own, others].filter((part) => part !== undefined).join("; ") ||
    "docs/spec-file.md lists every field"
  );
}

function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The problems inside a `spec_invalid` error; empty for any other error. */
export function problemsOf(error: MicroagentError): readonly Problem[] {
  const problems = error.details.problems;
  return error.code === "spec_invalid" && Array.isArray(problems) ? (problems as Problem[]) : [];
}
