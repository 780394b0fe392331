import { limits } from "../../base/limits.ts";
import type { Credential } from "./credential.ts";

/** The credentials that were put into requests of one workspace, those of all hosts, the latest last. */
export class Remembered {
  readonly #values = new Set<string>();

  add(credential: Credential): void {
    const value = credential.reveal();
    this.#values.delete(value);
    this.#values.add(value);
    const oldest = this.#values.values().next();
    if (this.#values.size > limits.swap.rememberedMax && oldest.done !== true) {
      this.#values.delete(oldest.value);
    }
  }

  values(): readonly string[] {
    return [...this.#values];
  }
}
