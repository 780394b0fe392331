import { networkInterfaces } from "node:os";
import type { Clock } from "../base/op.ts";
import { parseAddress } from "./address.ts";

const freshMs = 5_000;

/** The addresses of this host's interfaces, asked for again every few seconds. */
export class OwnAddresses {
  readonly #clock: Clock;
  #known: ReadonlySet<string> = new Set();
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get texts(): ReadonlySet<string> {
    const now = this.#clock.monotonic();
    if (now - this.#readAt < freshMs) return this.#known;
    this.#readAt = now;
    const texts = new Set<string>();
    for (const list of Object.values(networkInterfaces())) {
      for (const { address } of list ?? []) {
        const parsed = parseAddress(address.split("%")[0] ?? "");
        if (parsed !== null) texts.add(parsed.text);
      }
    }
    this.#known = texts;
    return texts;
  }
}
