import { Composer, type Document, Lexer, Parser } from "yaml";
import { limits } from "../../base/limits.ts";
import { type Problem, specError } from "../problem.ts";
import { type Complaint, type SourceRange, SpecSource } from "../source.ts";
import { secretLookingRanges } from "./hide-secrets.ts";
import { sentenceOfYamlError } from "./yaml-sentences.ts";

type Token = Parameters<Composer["next"]>[0];

/** The one document of a YAML text, syntactically sound; `spec_invalid` otherwise. */
export function composeYaml(file: string, text: string): Document.Parsed {
  const source = new SpecSource(file, text, new Map(), secretLookingRanges(text));
  const fail = (range: SourceRange, complaint: Complaint): never => {
    throw specError([source.problemAt(range, "", complaint)]);
  };
  const control = /[^\P{Cc}\t\n\r]/u.exec(text);
  if (control !== null) {
    fail(
      { start: control.index, end: control.index + 1 },
      {
        sentence: `Character U+${(text.codePointAt(control.index) ?? 0).toString(16).padStart(4, "0").toUpperCase()} is not allowed in a spec file`,
        wanted: "plain text",
      },
    );
  }

  const documents = compose(tokensOf(text, fail), text.length, fail);
  const problems: Problem[] = [];
  for (const document of documents) {
    // An unknown tag is only a warning to the library; to us it is a value nobody defined.
    for (const error of [...document.errors, ...document.warnings]) {
      if (problems.length >= limits.spec.problemsMax) break;
      const [start, end] = error.pos;
      problems.push(source.problemAt({ start, end }, "", sentenceOfYamlError(error)));
    }
    const version = document.directives?.yaml;
    if (version?.explicit === true && version.version !== "1.2") {
      problems.push(
        source.problemAt({ start: 0, end: 1 }, "", {
          sentence: `The file says YAML ${version.version}: wanted YAML 1.2, where "off" and "no" are texts`,
          hint: "Remove the %YAML line",
        }),
      );
    }
  }
  const [firstProblem, ...otherProblems] = problems;
  if (firstProblem !== undefined) throw specError([firstProblem, ...otherProblems]);

  const [document, second] = documents;
  if (document === undefined) return fail({ start: 0, end: 1 }, emptyFile);
  if (second !== undefined) {
    fail(
      { start: second.range[0], end: second.range[0] + 1 },
      {
        sentence: "The file holds a second document: wanted one",
        hint: 'Remove the "---" line between them, or split the file',
      },
    );
  }
  return document;
}

export const emptyFile: Complaint = {
  sentence: "The spec file is empty: wanted a mapping of fields",
  wanted: "a mapping of fields",
};

/** Tokens of the text, bounded in number and depth before anything recursive sees them. */
function tokensOf(
  text: string,
  fail: (range: SourceRange, complaint: Complaint) => never,
): Token[] {
  const parser = new Parser();
  const tokens: Token[] = [];
  let count = 0;
  let escapes = 0;
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    offset = Math.min(offset + lexeme.length, text.length);
    if (++count > limits.spec.tokensMax) {
      fail(
        { start: offset, end: offset + 1 },
        {
          sentence: `The file has more than ${limits.spec.tokensMax} YAML tokens: wanted a shorter one`,
        },
      );
    }
    escapes += lexeme.startsWith('"') ? lexeme.split("\\").length - 1 : 0;
    if (escapes > limits.spec.escapesMax) {
      fail(
        { start: offset - lexeme.length, end: offset },
        {
          sentence: `Double-quoted texts hold more than ${limits.spec.escapesMax} backslashes: wanted fewer`,
          hint: "Use a block text (key: |), which takes backslashes as they are",
        },
      );
    }
    for (const token of parser.next(lexeme)) tokens.push(token);
  }
  for (const token of parser.end()) tokens.push(token);
  const deep = tooDeepAt(tokens);
  if (deep !== null) {
    fail(
      { start: deep, end: deep + 1 },
      {
        sentence: `Collections are nested deeper than ${limits.spec.nestingMax}: wanted a flat spec`,
      },
    );
  }
  return tokens;
}

function tooDeepAt(tokens: readonly Token[]): number | null {
  const waiting: { token: Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { token, depth } = next;
    if (depth > limits.spec.nestingMax) return token.offset;
    if (token.type === "document") {
      if (token.value !== undefined) waiting.push({ token: token.value, depth });
    } else if ("items" in token) {
      for (const item of token.items) {
        if (item.key) waiting.push({ token: item.key, depth: depth + 1 });
        if (item.value) waiting.push({ token: item.value, depth: depth + 1 });
      }
    }
  }
  return null;
}

function compose(
  tokens: readonly Token[],
  length: number,
  fail: (range: SourceRange, complaint: Complaint) => never,
): Document.Parsed[] {
  // Duplicates are found while walking: the library compares every key with every other.
  const composer = new Composer({
    version: "1.2",
    uniqueKeys: false,
    strict: true,
    prettyErrors: false,
    logLevel: "silent",
  });
  try {
    return [...composer.compose(tokens, true, length)] as Document.Parsed[];
  } catch {
    return fail(
      { start: 0, end: 1 },
      { sentence: "The file cannot be read as YAML: wanted a simpler text" },
    );
  }
}
