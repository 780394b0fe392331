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

/** Controls besides tab and line feed show as replaced. */
export function withoutControls(text: string): string {
  return text.replace(control, "\ufffd");
}

/** The words alone: no terminal sequences, no controls, and line ends of one kind. */
export function plainText(text: string): string {
  return withoutControls(text.replace(terminalSequence, "").replace(/\r\n?/g, "\n"));
}

/** The same with nothing in it that is not seen: what is read is what is there, in this order. */
export function visibleText(text: string): string {
  return plainText(text).replace(unseen, "\ufffd");
}
