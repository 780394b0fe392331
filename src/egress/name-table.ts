import type { Clock } from "../base/op.ts";

/**
 * Programs keep an address longer than its time to live, so an answer counts for at least this long.
 * What it buys an attacker is an address the name had a moment ago.
 */
const heldAtLeastMs = 10 * 60_000;
const heldAtMostMs = 24 * 3_600_000;
const namesMax = 4_096;
const addressesPerNameMax = 64;

/** Which addresses our resolver gave this guest for which names. */
export class NameTable {
  readonly #clock: Clock;
  /** Oldest answer first; each holds its addresses and when they end. */
  readonly #byName = new Map<string, Map<string, number>>();
  readonly #byAddress = new Map<string, Set<string>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes an answer the guest is about to get; `address` in its one spelling. */
  add(name: string, addresses: readonly string[], ttlSeconds: number): void {
    const heldMs = Math.min(Math.max(ttlSeconds * 1000, heldAtLeastMs), heldAtMostMs);
    const until = this.#clock.monotonic() + heldMs;
    const held = this.#byName.get(name) ?? new Map<string, number>();
    this.#byName.delete(name);
    this.#byName.set(name, held);
    for (const address of addresses) {
      held.delete(address);
      held.set(address, until);
      const names = this.#byAddress.get(address) ?? new Set<string>();
      names.add(name);
      this.#byAddress.set(address, names);
    }
    for (const address of held.keys()) {
      if (held.size <= addressesPerNameMax) break;
      this.#forget(name, address);
    }
    for (const oldest of this.#byName.keys()) {
      if (this.#byName.size <= namesMax) break;
      for (const address of [...(this.#byName.get(oldest)?.keys() ?? [])]) {
        this.#forget(oldest, address);
      }
      this.#byName.delete(oldest);
    }
  }

  /** The names that were answered with this address, the latest answer last. */
  namesOf(address: string): readonly string[] {
    const names = this.#byAddress.get(address);
    if (names === undefined) return [];
    return [...names].filter((name) => this.gave(name, address));
  }

  /** The addresses that were given for a name and still count. */
  addressesOf(name: string): readonly string[] {
    const held = this.#byName.get(name);
    return held === undefined ? [] : [...held.keys()].filter((address) => this.gave(name, address));
  }

  gave(name: string, address: string): boolean {
    const until = this.#byName.get(name)?.get(address);
    if (until === undefined) return false;
    if (until > this.#clock.monotonic()) return true;
    this.#forget(name, address);
    return false;
  }

  #forget(name: string, address: string): void {
    this.#byName.get(name)?.delete(address);
    const names = this.#byAddress.get(address);
    names?.delete(name);
    if (names?.size === 0) this.#byAddress.delete(address);
  }
}
