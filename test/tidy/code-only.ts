/**
 * TypeScript with comments and the text of strings and regular expressions blanked out, line for line,
 * so that a law can look for words of code. Code inside `${}` of a template stays.
 */
export function codeOnly(source: string): string {
  let out = "";
  let at = 0;
  /** One entry per open template substitution: how many braces are open inside it. */
  const substitutions: number[] = [];

  const blankTo = (end: number) => {
    out += source.slice(at, end).replace(/[^\n]/g, " ");
    at = end;
  };

  while (at < source.length) {
    const char = source[at];
    const pair = source.slice(at, at + 2);
    if (pair === "//") blankTo(endAt(source, "\n", at));
    else if (pair === "/*") blankTo(endAt(source, "*/", at + 2) + 2);
    else if (char === '"' || char === "'") blankTo(endOfQuoted(source, at, char));
    else if (char === "/" && startsRegex(out)) blankTo(endOfRegex(source, at));
    else if (char === "`" || (char === "}" && substitutions.at(-1) === 0)) {
      if (char === "}") substitutions.pop();
      const end = endOfTemplatePart(source, at + 1);
      blankTo(end);
      if (source[end - 1] === "{") substitutions.push(0);
    } else {
      const depth = substitutions.pop();
      if (depth !== undefined) {
        substitutions.push(depth + (char === "{" ? 1 : char === "}" ? -1 : 0));
      }
      out += char;
      at++;
    }
  }
  return out;
}

function endAt(source: string, mark: string, from: number): number {
  const found = source.indexOf(mark, from);
  return found === -1 ? source.length : found;
}

function endOfQuoted(source: string, from: number, quote: string): number {
  let at = from + 1;
  while (at < source.length && source[at] !== quote) at += source[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** After the closing backtick, or after the `{` of the next substitution. */
function endOfTemplatePart(source: string, from: number): number {
  for (let at = from; at < source.length; at++) {
    if (source[at] === "\\") at++;
    else if (source[at] === "`") return at + 1;
    else if (source[at] === "$" && source[at + 1] === "{") return at + 2;
  }
  return source.length;
}

function endOfRegex(source: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < source.length; at++) {
    const char = source[at];
    if (char === "\\") at++;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) return at + 1;
    else if (char === "\n") return at;
  }
  return source.length;
}

/** A slash begins a regular expression where a value may begin, and divides elsewhere. */
function startsRegex(before: string): boolean {
  const tail = before.trimEnd();
  return tail === "" || /[(,=:[!&|?{};+*%~^<>-]$|\b(return|typeof|case|in|of)$/.test(tail);
}
