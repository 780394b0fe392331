import type { Clock, Op } from "../base/op.ts";
import type { EgressCaps } from "./policy.ts";

/** A rate lets this much through at once, so that small requests never wait. */
const burstBytesMin = 64 * 1024;

/** Counts what all flows of one guest move, against the caps. */
export class Traffic {
  readonly #caps: EgressCaps;
  readonly #clock: Clock;
  #flows = 0;
  #bytes = 0;
  #tokens: number;
  #filledAt: number;
  /** Whoever waits for the rate, in order. */
  #line: Promise<void> = Promise.resolve();

  constructor(caps: EgressCaps, clock: Clock) {
    this.#caps = caps;
    this.#clock = clock;
    this.#tokens = this.#burst;
    this.#filledAt = clock.monotonic();
  }

  /** Takes a place for one flow; false when all are taken. */
  enter(): boolean {
    if (this.#flows >= this.#caps.connections) return false;
    this.#flows += 1;
    return true;
  }

  leave(): void {
    this.#flows -= 1;
  }

  get flows(): number {
    return this.#flows;
  }

  /** True once the total is used up. */
  get spent(): boolean {
    return this.#bytes >= this.#caps.totalBytes;
  }

  /** Counts bytes; false when they are beyond the total. */
  count(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes <= this.#caps.totalBytes;
  }

  /** True when bytes have to wait for their turn. */
  get limited(): boolean {
    return this.#caps.bytesPerSecond !== null;
  }

  /** Resolves when the rate allows these bytes; first come, first served. */
  async pace(op: Op, bytes: number): Promise<void> {
    const rate = this.#caps.bytesPerSecond;
    if (rate === null) return;
    const turn = this.#line;
    let next = () => {};
    this.#line = new Promise((resolve) => {
      next = resolve;
    });
    try {
      await op.race(turn);
      this.#fill(rate);
      if (this.#tokens < 0) await op.sleep((-this.#tokens / rate) * 1000);
      this.#fill(rate);
      // May go below zero: whoever comes next waits until it is paid.
      this.#tokens -= bytes;
    } finally {
      turn.then(next);
    }
  }

  #fill(rate: number): void {
    const now = this.#clock.monotonic();
    const gained = ((now - this.#filledAt) / 1000) * rate;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#filledAt = now;
  }

  get #burst(): number {
    return Math.max(burstBytesMin, (this.#caps.bytesPerSecond ?? 0) / 10);
  }
}
