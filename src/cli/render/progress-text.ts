import type { Progress } from "../../base/op.ts";
import { bytesText } from "../../base/quantity.ts";

export type Amount = Extract<Progress, { kind: "amount" }>;

/** Steps shorter than this are not worth a line where lines stay. */
const worthALineMs = 1_000;

type StepEnd = Extract<Progress, { kind: "step-end" }>;

/**
 * Says which ends of steps get a line: long ones, but for the run itself, which speaks through its own output, and for
 * steps that only failed with a step inside of them.
 */
export function linesOfSteps(): (event: StepEnd) => boolean {
  let lastFailed = "";
  return ({ path, ms, failed }) => {
    const depth = path.split("/").length;
    if (ms < worthALineMs || depth > 3 || path.endsWith("/run")) return false;
    if (!failed) return true;
    const isTold = lastFailed.startsWith(`${path}/`);
    if (!isTold) lastFailed = path;
    return !isTold;
  };
}

/** `boot/image` of the path `dispatch/boot/image`. */
export function stepName(path: string): string {
  return path.split("/").slice(1).join("/") || path;
}

/** `12.3 MiB of 45.6 MiB (27 %)`, or what is done when nobody knows the whole. */
export function amountText(event: Amount): string {
  const show = (value: number) => (event.unit === "bytes" ? bytesText(value) : String(value));
  if (event.total === null || event.total === 0) return show(event.done);
  const percent = Math.floor((100 * event.done) / event.total);
  return `${show(event.done)} of ${show(event.total)} (${percent} %)`;
}
