/**
 * Undo steps of a half-built thing, run in reverse order. `release` hands ownership over: what was
 * collected is no longer undone here. Running twice is harmless; a failing step never stops the
 * others and never throws, because a failing tear-down must not hide the failure that caused it.
 */
export class CleanupStack {
  #steps: (() => void | Promise<void>)[] = [];
  readonly #onFailure: (error: unknown) => void;

  constructor(onFailure: (error: unknown) => void = () => {}) {
    this.#onFailure = onFailure;
  }

  defer(step: () => void | Promise<void>): void {
    this.#steps.push(step);
  }

  /** Moves every step into a new stack and leaves this one empty. */
  release(): CleanupStack {
    const moved = new CleanupStack(this.#onFailure);
    moved.#steps = this.#steps;
    this.#steps = [];
    return moved;
  }

  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        this.#onFailure(error);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run();
  }
}
