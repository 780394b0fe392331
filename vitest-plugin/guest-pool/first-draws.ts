import { MicroagentError } from "../../src/index.ts";

/**
 * What the clones of one machine have drawn to begin with. Random numbers that two machines share are worse than a machine
 * that does not start.
 */
export class FirstDraws {
  readonly #seen = new Set<string>();

  /** @returns why a clone that has drawn this must not go on; null when no other has drawn it */
  refusalOf(drawn: string): MicroagentError | null {
    if (!this.#seen.has(drawn)) {
      this.#seen.add(drawn);
      return null;
    }
    return new MicroagentError("internal", "Two machines have drawn the same random bytes", {
      hint: "The Node in the machine draws no new seed by the clock: choose another with the option node",
    });
  }
}
