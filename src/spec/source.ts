import { type FieldPath, pathKey, pathText } from "./field-path.ts";
import { codeFrame } from "./frame.ts";
import { LineTable } from "./line-table.ts";
import type { Problem } from "./problem.ts";

/** A half-open range of offsets in the file's text. */
export interface SourceRange {
  readonly start: number;
  readonly end: number;
}

/** Where a field was written: its key (none for list items) and its value. */
export interface FieldRange {
  readonly key: SourceRange | null;
  readonly value: SourceRange;
}

/** What a problem says beside its place. */
export interface Complaint {
  readonly sentence: string;
  readonly wanted?: string | undefined;
  readonly nearest?: string | null | undefined;
  readonly hint?: string | undefined;
}

/** The text of a spec file, with the place of every field, for errors at any later time. */
export class SpecSource {
  readonly file: string;
  readonly text: string;
  readonly #fields: ReadonlyMap<string, FieldRange>;
  readonly #lines: LineTable;
  /** The text as frames may show it: what may be secret is starred out, offsets unchanged. */
  readonly #shown: string;

  constructor(
    file: string,
    text: string,
    fields: ReadonlyMap<string, FieldRange> = new Map(),
    hidden: readonly SourceRange[] = [],
  ) {
    this.file = file;
    this.text = text;
    this.#fields = fields;
    this.#lines = new LineTable(text);
    this.#shown = starOut(text, hidden);
  }

  /** Line and column of a field, of the nearest field around it if it was not written. */
  place(path: FieldPath): { readonly line: number; readonly column: number } {
    const { line, column } = this.#lines.place(this.#rangeOf(path, "key").start);
    return { line, column };
  }

  /** True when the field was written in the file. */
  has(path: FieldPath): boolean {
    return this.#fields.has(pathKey(path));
  }

  /** A problem at a field's key or value. */
  problem(path: FieldPath, at: "key" | "value", complaint: Complaint): Problem {
    return this.problemAt(this.#rangeOf(path, at), pathText(path), complaint);
  }

  /** A problem at a range of the text. */
  problemAt(range: SourceRange, path: string, complaint: Complaint): Problem {
    const { line, column } = this.#lines.place(range.start);
    return {
      file: this.file,
      line,
      column,
      path,
      sentence: complaint.sentence,
      wanted: complaint.wanted ?? null,
      nearest: complaint.nearest ?? null,
      hint: complaint.hint ?? null,
      frame: codeFrame(this.#shown, this.#lines, range.start, range.end),
    };
  }

  #rangeOf(path: FieldPath, at: "key" | "value"): SourceRange {
    for (let length = path.length; length > 0; length--) {
      const field = this.#fields.get(pathKey(path.slice(0, length)));
      if (field === undefined) continue;
      // A field that was left out is shown at the key of what should have held it.
      const side = length === path.length ? at : "key";
      return side === "key" && field.key !== null ? field.key : field.value;
    }
    return { start: 0, end: 1 };
  }
}

function starOut(text: string, hidden: readonly SourceRange[]): string {
  const inOrder = [...hidden].sort((a, b) => a.start - b.start);
  let shown = "";
  let at = 0;
  for (const { start, end } of inOrder) {
    if (end <= at) continue;
    const from = Math.max(start, at);
    shown += text.slice(at, from) + text.slice(from, end).replace(/\S/g, "*");
    at = end;
  }
  return shown + text.slice(at);
}
