import { type Progress, type ProgressListener, realClock } from "../../base/op.ts";
import { bytesText, durationText } from "../../base/quantity.ts";
import type { Terminal } from "../terminal.ts";
import { printable } from "./printable.ts";

/** Shows how a long operation goes on; `clear` takes the transient line away before other output. */
export interface ProgressView {
  readonly listener: ProgressListener;
  clear(): void;
  /** As `clear`, and remembers whether the output will leave the cursor inside a line. */
  outputComes(data: Uint8Array): void;
}

/** Steps shorter than this are not worth a line where lines stay. */
const worthALineMs = 1_000;
/** Time between two plain lines about the same transfer. */
const plainIntervalMs = 5_000;
const redrawIntervalMs = 80;

/** One redrawn line on a terminal, plain lines elsewhere, nothing in JSON mode. */
export function progressView(terminal: Terminal): ProgressView {
  if (terminal.json) return { listener: () => {}, clear: () => {}, outputComes: () => {} };
  return terminal.stderrIsTty ? liveView(terminal) : plainView(terminal);
}

function plainView(terminal: Terminal): ProgressView {
  const lastShown = new Map<string, number>();
  const say = (line: string) => void terminal.writeErr(`${line}\n`);
  return {
    clear: () => {},
    outputComes: () => {},
    listener(event) {
      if (event.kind === "note") say(printable(event.text));
      else if (event.kind === "warning") say(`warning: ${printable(event.text)}`);
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
          say(amountText(event));
        }
      }
    },
  };
}

function liveView(terminal: Terminal): ProgressView {
  let shown = false;
  let insideLine = false;
  let drawnAt = 0;
  const erase = () => {
    if (shown) void terminal.writeErr("\r\u001b[2K");
    shown = false;
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
  const draw = (text: string) => {
    const now = realClock.monotonic();
    if (now - drawnAt < redrawIntervalMs) return;
    drawnAt = now;
    endLine();
    shown = true;
    void terminal.writeErr(`\r\u001b[2K${text.slice(0, Math.max(10, terminal.columns - 1))}`);
  };
  const keep = (text: string) => {
    clear();
    void terminal.writeErr(`${text}\n`);
  };
  return {
    clear,
    outputComes(data) {
      erase();
      if (data.length > 0) insideLine = data[data.length - 1] !== 0x0a;
    },
    listener(event) {
      if (event.kind === "note") keep(printable(event.text));
      else if (event.kind === "warning") keep(`warning: ${printable(event.text)}`);
      else if (event.kind === "step-start") draw(`${stepName(event.path)} ...`);
      else if (event.kind === "amount") draw(amountText(event));
      else if (isWorthALine(event)) {
        keep(
          `${event.failed ? "failed" : "done"}: ${stepName(event.path)} (${durationText(event.ms)})`,
        );
      } else clear();
    },
  };
}

/** Long steps get a line, but the run itself speaks through its own output. */
function isWorthALine(event: Extract<Progress, { kind: "step-end" }>): boolean {
  const depth = event.path.split("/").length;
  return event.ms >= worthALineMs && depth <= 3 && !event.path.endsWith("/run");
}

/** `boot/image` of the path `dispatch/boot/image`. */
function stepName(path: string): string {
  return path.split("/").slice(1).join("/") || path;
}

function amountText(event: Extract<Progress, { kind: "amount" }>): string {
  const show = (value: number) => (event.unit === "bytes" ? bytesText(value) : String(value));
  if (event.total === null || event.total === 0) return `${event.label}: ${show(event.done)}`;
  const percent = Math.floor((100 * event.done) / event.total);
  return `${event.label}: ${show(event.done)} of ${show(event.total)} (${percent} %)`;
}
