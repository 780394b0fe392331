/** Texts of others, for places where they must be seen and not act: terminals, logs, pages. */

const esc = String.fromCharCode(0x1b);
const bell = String.fromCharCode(0x07);

/** What a terminal acts on: colours, cursor, titles, links. One that has no end takes what is known to be its own. */
const terminalSequence = new RegExp(
  `${esc}(?:\\[[0-?]*[ -/]*[@-~]|\\][^${esc}${bell}\\n]*(?:${bell}|${esc}\\\\)?|.)?`,
  "g",
);
const control = /(?![\t\n])\p{Cc}/gu;
/** Lone surrogates, and marks that reorder text, end its line or have no width. */
const unseen = /[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** More than any line of ours has. */
const terminalLineCharsMax = 5_000;
/** Printable ASCII needs no look at the large classes below, whose compiling takes a millisecond. */
const plain = /^[\x20-\x7e]*$/;
/** What ends a line, moves a cursor, reorders text or is not seen; surrogates that stand alone. */
const unfitForLine = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Text of others as part of one line: of an error, a warning, a cell of a table. What could act on a terminal or a CI
 * runner, or hide, shows as `\xNN` or `\u{NNNN}`, and what is longer than `charsMax` is cut.
 */
export function oneLine(text: string, charsMax = 200): string {
  const cut = text.length > charsMax ? `${text.slice(0, charsMax)}...` : text;
  return plain.test(cut) ? cut : cut.replace(unfitForLine, escaped);
}

function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  return code < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
}

/** Controls besides tab and line feed show as replaced. */
export function withoutControls(text: string): string {
  return text.replace(control, "\ufffd");
}

/** Text of others as one line of a terminal or a log, or as a part of one. */
export function terminalLine(text: string): string {
  return oneLine(withoutControls(text), terminalLineCharsMax);
}

/** The words alone: no terminal sequences, no controls, and line ends of one kind. */
export function plainText(text: string): string {
  return withoutControls(text.replace(terminalSequence, "").replace(/\r\n?/g, "\n"));
}

/** The same with nothing in it that is not seen: what is read is what is there, in this order. */
export function visibleText(text: string): string {
  return plainText(text).replace(unseen, "\ufffd");
}
