import { terminalLine } from "../../base/foreign-text.ts";
import { type Progress, realClock } from "../../base/op.ts";
import { durationText } from "../../base/quantity.ts";
import type { Terminal } from "../terminal.ts";
import { barLines } from "./bars.ts";
import { type Amount, linesOfSteps, stepName } from "./progress-text.ts";
import type { ProgressView } from "./progress-view.ts";

const redrawIntervalMs = 80;
/** Lines that are redrawn; a pull has four layers on their way at once. */
const linesMax = 6;
const eraseLine = "\r\u001b[2K";
const upAndErase = "\u001b[1A\u001b[2K";

/**
 * What goes on, at the bottom of a terminal and redrawn: a bar for each amount that moves, else the step. Lines
 * that stay are written above it.
 */
export function liveView(terminal: Terminal): ProgressView {
  const amounts = new Map<string, Amount>();
  const isWorthALine = linesOfSteps();
  let drawnLines = 0;
  let insideLine = false;
  let drawnAt = Number.NEGATIVE_INFINITY;

  const erasure = () => {
    const text = drawnLines === 0 ? "" : `${eraseLine}${upAndErase.repeat(drawnLines - 1)}`;
    drawnLines = 0;
    return text;
  };
  const erase = () => {
    const text = erasure();
    if (text !== "") void terminal.writeErr(text);
  };
  // A command's last line may have no end, and must not be drawn over.
  const endLine = () => {
    if (insideLine) void terminal.writeErr("\n");
    insideLine = false;
  };
  const clear = () => {
    erase();
    endLine();
  };
  const draw = (step: string) => {
    const now = realClock.monotonic();
    if (now - drawnAt < redrawIntervalMs) return;
    drawnAt = now;
    endLine();
    // A full line would take the cursor to the next one.
    const columns = Math.max(10, terminal.columns - 1);
    const bars = barLines([...amounts.values()], columns, linesMax);
    const lines = bars.length > 0 ? bars : [`${step} ...`.slice(0, columns)];
    // In one piece, so that nobody sees it half erased.
    void terminal.writeErr(`${erasure() || eraseLine}${lines.join("\n")}`);
    drawnLines = lines.length;
  };
  const keep = (text: string) => {
    clear();
    void terminal.writeErr(`${text}\n`);
  };
  const listener = (event: Progress) => {
    switch (event.kind) {
      case "note":
        return keep(terminalLine(event.text));
      case "warning":
        return keep(`warning: ${terminalLine(event.text)}`);
      case "amount": {
        const key = `${event.path} ${event.label}`;
        if (event.total !== null && event.done >= event.total) amounts.delete(key);
        else amounts.set(key, event);
        return draw(stepName(event.path));
      }
      case "step-start":
        return draw(stepName(event.path));
      case "step-end":
        for (const [key, amount] of amounts) {
          if (`${amount.path}/`.startsWith(`${event.path}/`)) amounts.delete(key);
        }
        if (isWorthALine(event)) {
          const how = event.failed ? "failed" : "done";
          keep(`${how}: ${stepName(event.path)} (${durationText(event.ms)})`);
        } else if (amounts.size === 0) clear();
        return;
      default:
        event satisfies never;
    }
  };
  return {
    clear,
    outputComes(data) {
      erase();
      if (data.length > 0) insideLine = data[data.length - 1] !== 0x0a;
    },
    listener,
  };
}
