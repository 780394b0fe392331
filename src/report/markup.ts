/** Text that is HTML already, made by `html` alone. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

export type MarkupPart = Markup | string | number | readonly Markup[];

/**
 * HTML with every inserted text escaped. What a guest wrote can neither leave its place in the page
 * nor reorder or hide the text around it.
 */
export function html(strings: TemplateStringsArray, ...parts: readonly MarkupPart[]): Markup {
  let text = strings[0] ?? "";
  for (const [index, part] of parts.entries()) text += written(part) + (strings[index + 1] ?? "");
  return new Markup(text);
}

function written(part: MarkupPart): string {
  if (part instanceof Markup) return part.text;
  if (typeof part === "number") return String(part);
  if (typeof part === "string") return escaped(part);
  return part.map((each) => each.text).join("");
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => entities[character] ?? "");
}

const esc = String.fromCharCode(0x1b);
const bell = String.fromCharCode(0x07);
/** Colours of a terminal and the like, which a page does not show. */
const terminalSequence = new RegExp(
  `${esc}(?:\\[[0-?]*[ -/]*[@-~]|\\][^${bell}${esc}]*(?:${bell}|${esc}\\\\)|[@-Z\\\\\\-_])`,
  "g",
);
/** Controls besides tab and line feed, lone surrogates, and marks that reorder text or have no width. */
const unseen = /(?![\t\n])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Foreign text with nothing in it that acts instead of being seen. */
export function visible(text: string): string {
  return text.replace(terminalSequence, "").replace(/\r\n?/g, "\n").replace(unseen, "\ufffd");
}
