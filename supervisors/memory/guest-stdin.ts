/** Standard input of a scripted command: chunks as they come, one consumer. */
export class GuestStdin implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  #ended: boolean;
  #wake: (() => void) | null = null;

  constructor(ended: boolean) {
    this.#ended = ended;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#notify();
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
