import { terminalLine } from "../../base/foreign-text.ts";

/** Columns padded to their widest cell, two spaces apart; the last one is left as it is. */
export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = columnWidths(all);
  return all.map((row) => rowText(row, widths)).join("");
}

/** How wide each column has to be. */
export function columnWidths(rows: readonly (readonly string[])[]): readonly number[] {
  // Not spread as arguments: a guest can make more rows than a call takes.
  return (rows[0] ?? []).map((_, column) =>
    rows.reduce((widest, row) => Math.max(widest, cellText(row[column] ?? "").length), 0),
  );
}

/** One line of a table whose other lines are printed before or after it. */
export function rowText(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((given, column) => {
    const cell = cellText(given);
    return column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0);
  });
  return `${cells.join("  ").trimEnd()}\n`;
}

/** A name of an image or a guest in it must not begin another row. */
function cellText(text: string): string {
  return terminalLine(text);
}
