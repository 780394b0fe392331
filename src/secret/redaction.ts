import type { Secret } from "./secret.ts";

/** Shorter values are everywhere in ordinary text: replacing them would garble it and hide nothing. */
const shortestChars = 4;
/** A line of a longer value, as of a key in PEM form, gives enough of it away. */
const shortestLineChars = 16;
const placeholder = "***";

/** Values that were given to a guest and should not be kept where its output is kept. */
export class Redactions {
  readonly #values = new Set<string>();

  add(secret: Secret): void {
    let text: string;
    try {
      text = secret.text();
    } catch {
      // What is no text is in no text.
      return;
    }
    if (text.length >= shortestChars) this.#values.add(text);
    const lines = text.split(/\r?\n/);
    if (lines.length < 2) return;
    for (const line of lines) if (line.length >= shortestLineChars) this.#values.add(line);
  }

  /** The text with each value replaced; an encoded or divided value is not found. */
  apply(text: string): string {
    // The longest first: a value may be part of another.
    const values = [...this.#values].sort((a, b) => b.length - a.length);
    return values.reduce((rest, value) => rest.replaceAll(value, () => placeholder), text);
  }
}
