import { limits } from "../base/limits.ts";
import type { Clock } from "../base/op.ts";
import type { ChannelStream } from "../channel/stream.ts";

/** Sweeps between two ticks of the clock when this many have gathered. */
const sweepAt = 2048;

/**
 * Streams we are done with, whose other half is the guest's to end. One that takes its time gives up its
 * place: a place kept for ever would be one call less the guest can make.
 */
export class LeavingStreams {
  readonly #clock: Clock;
  readonly #deadlines = new Map<ChannelStream, number>();
  #cancelTimer: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(stream: ChannelStream): void {
    if (stream.over) return;
    this.#deadlines.set(stream, this.#clock.monotonic() + limits.guestCalls.leaveMs);
    if (this.#deadlines.size >= sweepAt) this.#sweep();
    this.#arm();
  }

  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#deadlines.clear();
  }

  #arm(): void {
    if (this.#cancelTimer !== null || this.#deadlines.size === 0) return;
    this.#cancelTimer = this.#clock.after(limits.guestCalls.leaveMs, () => {
      this.#cancelTimer = null;
      this.#sweep();
      this.#arm();
    });
  }

  #sweep(): void {
    const now = this.#clock.monotonic();
    for (const [stream, deadline] of this.#deadlines) {
      if (!stream.over && deadline > now) continue;
      this.#deadlines.delete(stream);
      if (!stream.over) stream.reset();
    }
  }
}
