import type { LineTable } from "./line-table.ts";

const widthMax = 96;

/**
 * The lines around a range of `text`, with carets under the range. Long lines are cut around it;
 * control characters never reach a terminal.
 */
export function codeFrame(text: string, lines: LineTable, start: number, end: number): string {
  const at = lines.place(start);
  const gutter = String(at.line).length;
  const row = (mark: string, number: string, content: string) =>
    `${mark} ${number.padStart(gutter)} | ${content}`.trimEnd();

  const rows: string[] = [];
  if (at.line > 1) {
    const before = lines.place(at.lineStart - 1);
    rows.push(
      row(
        " ",
        String(before.line),
        clean(text.slice(before.lineStart, before.lineEnd)).slice(0, widthMax),
      ),
    );
  }
  const inLine = Math.min(start, at.lineEnd) - at.lineStart;
  const length = Math.max(1, Math.min(end, at.lineEnd) - Math.min(start, at.lineEnd));
  const from = inLine + Math.min(length, 20) > widthMax ? inLine - 40 : 0;
  const shown = clean(
    text.slice(at.lineStart + from, Math.min(at.lineEnd, at.lineStart + from + widthMax)),
  );
  const carets = Math.max(1, Math.min(length, shown.length - (inLine - from)));
  const padding = [...shown.slice(0, inLine - from)].map((c) => (c === "\t" ? "\t" : " ")).join("");
  rows.push(row(">", String(at.line), shown));
  rows.push(row(" ", "", padding + "^".repeat(carets)));
  return rows.join("\n");
}

function clean(line: string): string {
  return line.replace(/[^\t\P{Cc}]|[\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}
