import { type Clock, type Op, realClock } from "../../base/op.ts";

/** How long nobody has used something. */
export class Idleness {
  readonly #clock: Clock;
  #users = 0;
  #usedAtMs: number;

  constructor(clock: Clock = realClock) {
    this.#clock = clock;
    this.#usedAtMs = clock.monotonic();
  }

  /** Somebody uses it until the returned function is called. */
  begin(): () => void {
    this.#users += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#users -= 1;
      this.#usedAtMs = this.#clock.monotonic();
    };
  }

  /** Resolves when nobody has used it for so long. */
  async lasted(op: Op, idleMs: number): Promise<void> {
    for (;;) {
      const leftMs = this.#users > 0 ? idleMs : this.#usedAtMs + idleMs - this.#clock.monotonic();
      if (leftMs <= 0) return;
      await op.sleep(leftMs);
    }
  }
}
