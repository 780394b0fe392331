import type { Answer, Call } from "../wire/frames.ts";

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** What the worker asks the host for. */
export class HostCalls {
  readonly #send: (call: Call) => void;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(send: (call: Call) => void) {
    this.#send = send;
  }

  ask(name: string, ...args: readonly unknown[]): Promise<unknown> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#send({ id, name, args });
    });
  }

  settle({ id, result, failure }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failure === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(failure));
  }
}
