import type { EgressSignal } from "../audit-event.ts";
import type { GuestAnswer } from "./exchange.ts";

/** An answer that the host gives in the server's place. Thrown inside of one exchange, and caught there. */
export class Refusal {
  readonly status: number;
  /** For the guest: one sentence, no period. */
  readonly message: string;
  /** For the audit; null: it has heard of it already. */
  readonly reason: string | null;
  readonly signal: EgressSignal;

  constructor(
    status: number,
    message: string,
    reason: string | null,
    signal: EgressSignal = "denied",
  ) {
    this.status = status;
    this.message = message;
    this.reason = reason;
    this.signal = signal;
  }

  get audited(): boolean {
    return this.reason !== null;
  }
}

/** Tells the guest, in plain text, that it was not the server who answered. */
export function refuse(answer: GuestAnswer, refusal: Refusal): void {
  const body = Buffer.from(`microagent: ${refusal.message}\n`);
  const sink = answer.begin(refusal.status, [
    ["content-type", "text/plain; charset=utf-8"],
    ["content-length", String(body.length)],
    ["cache-control", "no-store"],
  ]);
  sink.write(body);
  answer.end([]);
}
