/** One challenge of a `WWW-Authenticate` header; scheme and parameter names in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const headerLengthMax = 16 * 1024;
const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const token68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;
const space = /[ \t]*/y;

/**
 * Reads the challenges of a `WWW-Authenticate` header as RFC 9110 writes them. What cannot be read ends the list: the
 * challenges before it still count.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const scanner = new Scanner(header.slice(0, headerLengthMax));
  const challenges: Challenge[] = [];
  for (;;) {
    scanner.skipCommas();
    const scheme = scanner.take(token);
    if (scheme === null) return challenges;
    const parameters: Record<string, string> = Object.create(null);
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
    scanner.take(space);
    // `Negotiate abc==`: data without a name, of no use to us.
    if (scanner.take(token68) !== null && !scanner.at("=")) continue;
    scanner.rewind();
    while (readParameter(scanner, parameters));
    scanner.take(space);
    if (!scanner.at(",")) return challenges;
  }
}

/** Reads `name=value` with what may stand around it; false leaves the scanner where it was. */
function readParameter(scanner: Scanner, into: Record<string, string>): boolean {
  scanner.mark();
  scanner.skipCommas();
  const name = scanner.take(token);
  scanner.take(space);
  if (name === null || !scanner.at("=")) {
    scanner.rewind();
    return false;
  }
  scanner.step();
  scanner.take(space);
  const value = scanner.at('"') ? scanner.takeQuoted() : scanner.take(token);
  if (value === null) {
    scanner.rewind();
    return false;
  }
  into[name.toLowerCase()] ??= value;
  return true;
}

class Scanner {
  readonly #text: string;
  #at = 0;
  #marked = 0;

  constructor(text: string) {
    this.#text = text;
  }

  mark(): void {
    this.#marked = this.#at;
  }

  rewind(): void {
    this.#at = this.#marked;
  }

  at(char: string): boolean {
    return this.#text.charAt(this.#at) === char;
  }

  step(): void {
    this.#at++;
  }

  /** What the sticky pattern matches here, null when nothing does. */
  take(pattern: RegExp): string | null {
    if (pattern === token68) this.mark();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found === "" ? null : found;
  }

  skipCommas(): void {
    while (this.at(",") || this.at(" ") || this.at("\t")) this.step();
  }

  takeQuoted(): string | null {
    let value = "";
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const char = this.#text.charAt(at);
      if (char === '"') {
        this.#at = at + 1;
        return value;
      }
      value += char === "\\" ? this.#text.charAt(++at) : char;
    }
    return null;
  }
}
