import { terminalLine } from "../../base/foreign-text.ts";
import { realClock } from "../../base/op.ts";
import { durationText } from "../../base/quantity.ts";
import type { Terminal } from "../terminal.ts";
import { liveView } from "./live-view.ts";
import { amountText, linesOfSteps, stepName } from "./progress-text.ts";
import type { ProgressView } from "./progress-view.ts";

/** Time between two plain lines about the same transfer. */
const plainIntervalMs = 5_000;

/** Bars on a terminal, plain lines elsewhere, nothing in JSON mode. */
export function progressView(terminal: Terminal): ProgressView {
  if (terminal.json) return { listener: () => {}, clear: () => {}, outputComes: () => {} };
  return terminal.stderrIsTty ? liveView(terminal) : plainView(terminal);
}

function plainView(terminal: Terminal): ProgressView {
  const lastShown = new Map<string, number>();
  const isWorthALine = linesOfSteps();
  const say = (line: string) => void terminal.writeErr(`${line}\n`);
  return {
    clear: () => {},
    outputComes: () => {},
    listener(event) {
      if (event.kind === "note") say(terminalLine(event.text));
      else if (event.kind === "warning") say(`warning: ${terminalLine(event.text)}`);
      else if (event.kind === "step-end" && isWorthALine(event)) {
        say(
          `${stepName(event.path)} ${event.failed ? "failed after" : "took"} ${durationText(event.ms)}`,
        );
      } else if (event.kind === "amount") {
        const now = realClock.monotonic();
        const last = lastShown.get(event.path + event.label);
        if (last === undefined) lastShown.set(event.path + event.label, now);
        else if (now - last >= plainIntervalMs) {
          lastShown.set(event.path + event.label, now);
          say(`${terminalLine(event.label)}: ${amountText(event)}`);
        }
      }
    },
  };
}
