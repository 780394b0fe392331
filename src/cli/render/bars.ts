import { terminalLine } from "../../base/foreign-text.ts";
import { type Amount, amountText } from "./progress-text.ts";

const labelMax = 28;
const barMax = 30;
/** A shorter bar says nothing that the figures do not. */
const barMin = 8;

/**
 * One line for each amount, none wider than `columns`: label, bar, figures, each in its own column. What does
 * not fit goes in the order bar, figures; beyond `linesMax` the rest is counted.
 */
export function barLines(
  amounts: readonly Amount[],
  columns: number,
  linesMax: number,
): readonly string[] {
  const shown = amounts.length > linesMax ? amounts.slice(0, linesMax - 1) : amounts;
  const rows = shown.map((amount) => ({
    amount,
    label: shortened(terminalLine(amount.label), labelMax),
    figures: amountText(amount),
  }));
  const labelWidth = Math.max(0, ...rows.map((row) => row.label.length));
  const figuresWidth = Math.max(0, ...rows.map((row) => row.figures.length));
  // Two spaces between columns, and the brackets.
  const room = Math.min(barMax, columns - labelWidth - figuresWidth - 6);
  const lines = rows.map(({ amount, label, figures }) => {
    const bar = room < barMin ? "" : `${barText(amount, room)}  `;
    return `${label.padEnd(labelWidth)}  ${bar}${figures}`.slice(0, columns);
  });
  const hidden = amounts.length - shown.length;
  return hidden === 0 ? lines : [...lines, `and ${hidden} more`.slice(0, columns)];
}

function barText({ done, total }: Amount, width: number): string {
  // A bar of unknown length would be made up.
  if (total === null || total === 0) return " ".repeat(width + 2);
  const filled = Math.min(width, Math.floor((width * done) / total));
  const head = filled > 0 && filled < width ? ">" : "";
  return `[${"=".repeat(filled - head.length)}${head}${" ".repeat(width - filled)}]`;
}

function shortened(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 3)}...`;
}
