import type { ExecOutput } from "./exec.ts";

/** Output held for a consumer that is late; then the guest has to wait. */
const heldBytesMax = 256 * 1024;
/** What a chunk costs beside its bytes: a flood of tiny ones must not hold more. */
const chunkOverheadBytes = 128;

/** Hands output from the reader of a stream to its one consumer, holding a bounded amount. */
export class OutputQueue implements AsyncIterable<ExecOutput> {
  #chunks: ExecOutput[] = [];
  #heldBytes = 0;
  #ended = false;
  #failure: unknown = null;
  #wakeConsumer: (() => void) | null = null;
  #wakeProducer: (() => void) | null = null;
  /** The consumer left: everything is dropped, so that the result still comes. */
  #abandoned = false;

  /** Undefined when there is room for more, else a promise of it. */
  push(chunk: ExecOutput): Promise<void> | undefined {
    if (this.#abandoned || this.#ended) return undefined;
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.data.length + chunkOverheadBytes;
    this.#notifyConsumer();
    if (this.#heldBytes < heldBytesMax) return undefined;
    return new Promise((resolve) => {
      this.#wakeProducer = resolve;
    });
  }

  end(failure: unknown = null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#notifyConsumer();
    this.#notifyProducer();
  }

  [Symbol.asyncIterator](): AsyncIterator<ExecOutput> {
    return {
      next: () => this.#next(),
      return: () => {
        this.#abandoned = true;
        this.#chunks = [];
        this.#heldBytes = 0;
        this.#notifyProducer();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  async #next(): Promise<IteratorResult<ExecOutput>> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#heldBytes -= chunk.data.length + chunkOverheadBytes;
        if (this.#heldBytes * 2 < heldBytesMax) this.#notifyProducer();
        return { done: false, value: chunk };
      }
      if (this.#failure !== null) throw this.#failure;
      if (this.#ended || this.#abandoned) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wakeConsumer = resolve;
      });
    }
  }

  #notifyConsumer(): void {
    const wake = this.#wakeConsumer;
    this.#wakeConsumer = null;
    wake?.();
  }

  #notifyProducer(): void {
    const wake = this.#wakeProducer;
    this.#wakeProducer = null;
    wake?.();
  }
}
