/** Pings that we sent and the peer has not answered. */
export class Pings {
  readonly #waiting = new Map<number, () => void>();
  #nextId = 0;

  /** A new ping: its id and its answer. */
  add(): { readonly id: number; readonly answered: Promise<void> } {
    const id = this.#nextId;
    this.#nextId = (id + 1) >>> 0;
    const answered = new Promise<void>((resolve) => this.#waiting.set(id, resolve));
    return { id, answered };
  }

  /** False when there is no such ping. */
  answer(id: number): boolean {
    const resolve = this.#waiting.get(id);
    this.#waiting.delete(id);
    resolve?.();
    return resolve !== undefined;
  }

  /** No answer will come: whoever waits looks at why the session ended. */
  end(): void {
    for (const resolve of this.#waiting.values()) resolve();
    this.#waiting.clear();
  }
}
