import { readFile, stat } from "node:fs/promises";
import type { Clock } from "../base/op.ts";
import { type Address, parseAddress } from "./address.ts";
import { canonicalName } from "./host-rule.ts";

const fileBytesMax = 1024 * 1024;
const freshMs = 5_000;

/** The names this host knows from a file, read again when it has changed. A file that cannot be read knows none. */
export class HostsFile {
  readonly #path: string;
  readonly #clock: Clock;
  #names: ReadonlyMap<string, readonly Address[]> = new Map();
  #checkedAt = Number.NEGATIVE_INFINITY;
  #version = "";

  constructor(clock: Clock, path = "/etc/hosts") {
    this.#clock = clock;
    this.#path = path;
  }

  async addressesOf(name: string): Promise<readonly Address[]> {
    const now = this.#clock.monotonic();
    if (now - this.#checkedAt >= freshMs) {
      this.#checkedAt = now;
      await this.#refresh().catch(() => {});
    }
    return this.#names.get(name) ?? [];
  }

  async #refresh(): Promise<void> {
    const { size, mtimeMs } = await stat(this.#path);
    const version = `${size} ${mtimeMs}`;
    if (version === this.#version || size > fileBytesMax) return;
    this.#names = parseHosts(await readFile(this.#path, "utf8"));
    this.#version = version;
  }
}

export function parseHosts(text: string): Map<string, readonly Address[]> {
  const names = new Map<string, Address[]>();
  for (const line of text.split("\n")) {
    const [first = "", ...rest] = (line.split("#")[0] ?? "").trim().split(/\s+/);
    const address = parseAddress(first);
    if (address === null) continue;
    for (const word of rest) {
      const name = canonicalName(word);
      if (name === null) continue;
      const all = names.get(name) ?? [];
      all.push(address);
      names.set(name, all);
    }
  }
  return names;
}
