/** Line and column (both from 1, columns in characters) of offsets in a text. */
export class LineTable {
  readonly #text: string;
  readonly #starts: number[] = [0];

  constructor(text: string) {
    this.#text = text;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
      this.#starts.push(at + 1);
    }
  }

  place(offset: number): { line: number; column: number; lineStart: number; lineEnd: number } {
    const at = Math.max(0, Math.min(offset, this.#text.length));
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    const lineStart = this.#starts[low] ?? 0;
    const column = [...this.#text.slice(lineStart, Math.min(at, lineStart + 4096))].length + 1;
    return { line: low + 1, column, lineStart, lineEnd: this.#lineEnd(low) };
  }

  #lineEnd(line: number): number {
    const next = this.#starts[line + 1];
    const end = next === undefined ? this.#text.length : next - 1;
    return this.#text[end - 1] === "\r" && end > (this.#starts[line] ?? 0) ? end - 1 : end;
  }
}
