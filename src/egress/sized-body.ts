/** Follows a body, or a chunk of one, whose length was said before it. */
export class SizedBody {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get over(): boolean {
    return this.#left === 0;
  }

  /** How many of the bytes belong to it. */
  take(rest: Buffer): number {
    const used = Math.min(this.#left, rest.length);
    this.#left -= used;
    return used;
  }
}
