import type { Progress } from "../../base/op.ts";
import { bytesText } from "../../base/quantity.ts";

export type Amount = Extract<Progress, { kind: "amount" }>;

/** Steps shorter than this are not worth a line where lines stay. */
const worthALineMs = 1_000;

/** Long steps get a line, but the run itself speaks through its own output. */
export function isWorthALine(event: Extract<Progress, { kind: "step-end" }>): boolean {
  const depth = event.path.split("/").length;
  return event.ms >= worthALineMs && depth <= 3 && !event.path.endsWith("/run");
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
