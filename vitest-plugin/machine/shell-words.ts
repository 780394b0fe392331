/** What may stand in a command template: each value is one word, each list one word per item. */
export type ShellValue = string | number | readonly (string | number)[];

/** A command text with its values quoted, so that none of them is read as shell. */
export function shellText(strings: TemplateStringsArray, values: readonly ShellValue[]): string {
  return strings.raw
    .map((text, index) => (index === 0 ? text : `${quoted(values[index - 1] ?? "")}${text}`))
    .join("");
}

/** An argument vector as one would type it. */
export function shellLine(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : quoted(word))).join(" ");
}

function quoted(value: ShellValue): string {
  if (typeof value === "object") return value.map((each) => quoted(each)).join(" ");
  return `'${String(value).replaceAll("'", "'\\''")}'`;
}
