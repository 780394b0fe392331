import type { Op } from "../base/op.ts";

/** A queue of callers waiting for a place, first come, first served. */
export class Turns {
  /** Places free now. */
  readonly #room: () => number;
  #waiters: (() => void)[] = [];

  constructor(room: () => number) {
    this.#room = room;
  }

  /** Resolves when it is the caller's turn to look again; leaves the queue with the op. */
  async wait(op: Op): Promise<void> {
    let waiter = () => {};
    let called = false;
    const turn = new Promise<void>((resolve) => {
      waiter = () => {
        called = true;
        resolve();
      };
    });
    this.#waiters.push(waiter);
    try {
      await op.race(turn);
    } catch (error) {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
      // Its turn came and it left: the next one may have it.
      if (called) this.call();
      throw error;
    }
  }

  /** Calls as many waiters as there is room for. */
  call(): void {
    if (this.#waiters.length === 0) return;
    const turns = Math.min(this.#waiters.length, Math.max(0, this.#room()));
    for (const waiter of this.#waiters.splice(0, turns)) waiter();
  }
}
