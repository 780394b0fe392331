import { type Address, addressOf, parseAddress } from "./address.ts";
import type { MappedHost } from "./policy.ts";

/** A name that is mapped, and the address the guest is given for it. */
export interface StandIn {
  readonly name: string;
  /** What the guest sees. */
  readonly given: Address;
  readonly target: Address;
  /** Null: the port that was asked for. */
  readonly port: number | null;
}

/**
 * The mapped names, each under an address of its own from the range for benchmarks (198.18.0.0/15): the real one
 * may be loopback, which in the guest would mean the guest itself. Entries with no address are left out.
 */
export class StandIns {
  readonly #byName = new Map<string, StandIn>();
  readonly #byAddress = new Map<string, StandIn>();

  constructor(hostMap: ReadonlyMap<string, MappedHost>) {
    let number = 0;
    for (const [name, { address, port }] of hostMap) {
      const target = parseAddress(address);
      if (target === null) continue;
      number += 1;
      const given = addressOf(Uint8Array.of(198, 18, number >> 8, number & 0xff));
      const standIn = { name, given, target, port };
      this.#byName.set(name, standIn);
      this.#byAddress.set(given.text, standIn);
    }
  }

  byName(name: string): StandIn | undefined {
    return this.#byName.get(name);
  }

  byAddress(text: string): StandIn | undefined {
    return this.#byAddress.get(text);
  }
}
