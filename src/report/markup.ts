import { visibleText } from "../base/foreign-text.ts";
import { withEntities } from "./entities.ts";

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
  if (typeof part === "string") return withEntities(visibleText(part));
  return part.map((each) => each.text).join("");
}
