/** Fields by their names in lower case, values without the blanks around them. */
export type Fields = ReadonlyMap<string, readonly string[]>;

const token: RegExp = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export function isToken(text: string): boolean {
  return token.test(text);
}

/**
 * Reads field lines by the letter of RFC 9112; the text that is returned otherwise says what is wrong. A folded line begins with
 * a blank, a smuggled one has a blank before its colon: neither is a name.
 */
export function readFields(lines: readonly string[]): Fields | string {
  const values = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    if (!isToken(name)) return "a field has no name";
    const value = withoutBlanks(line.slice(colon + 1));
    if (hasControls(value)) return `the field "${name}" has a control character`;
    const key = name.toLowerCase();
    const all = values.get(key);
    if (all === undefined) values.set(key, [value]);
    else all.push(value);
  }
  return values;
}

/** The members of a list field (`Connection`, `Upgrade`), in lower case. */
export function listOf(fields: Fields, name: string): string[] {
  return (fields.get(name) ?? [])
    .flatMap((value) => value.split(","))
    .map((member) => withoutBlanks(member).toLowerCase())
    .filter((member) => member !== "");
}

/** SP and HTAB are the only blanks: what else a language trims, a server keeps. */
export function withoutBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text, start)) start += 1;
  while (end > start && isBlank(text, end - 1)) end -= 1;
  return text.slice(start, end);
}

function isBlank(text: string, at: number): boolean {
  return text[at] === " " || text[at] === "\t";
}

function hasControls(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
  }
  return false;
}
