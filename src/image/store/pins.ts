import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { randomHex } from "../../base/ids.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { livenessOf, ownIdentity, parseIdentity } from "../../host/process-identity.ts";
import { ensurePrivateDir } from "../../host/state-layout.ts";

/** How long a pin of a process that we cannot look at (another host or container) is believed. */
const foreignPinMs = 24 * 60 * 60 * 1000;

const schema = z.object({
  digests: z.array(z.string()),
  at: z.number(),
  owner: z.unknown().optional(),
});

/**
 * Digests that a running process works with and no name protects yet. A pin of a dead process means
 * nothing, so a killed pull protects nothing and costs nothing.
 */
export class Pins {
  readonly #dir: string;

  constructor(root: string) {
    this.#dir = join(root, "pins");
  }

  /** Protects digests until the result is disposed of. Call it while holding the store's gate. */
  async add(digests: readonly string[], now: number): Promise<AsyncDisposable> {
    await ensurePrivateDir(this.#dir);
    const path = join(this.#dir, `${randomHex(8)}.json`);
    const pin = JSON.stringify({ digests, at: now, owner: ownIdentity() });
    await writeFileAtomic(path, pin, { survivesPowerCut: false });
    return {
      async [Symbol.asyncDispose]() {
        await rm(path, { force: true }).catch(() => {});
      },
    };
  }

  /** Every protected digest; removes the pins of the dead. Call it while holding the gate. */
  async collect(now: number): Promise<ReadonlySet<string>> {
    const pinned = new Set<string>();
    for (const name of await readdir(this.#dir).catch(() => [])) {
      const path = join(this.#dir, name);
      const pin = await readPin(path);
      const owner = pin === null ? null : parseIdentity(pin.owner);
      const liveness = owner === null ? "dead" : livenessOf(owner);
      const held =
        liveness === "alive" ||
        (liveness === "foreign" && pin !== null && now - pin.at < foreignPinMs);
      if (!held) await rm(path, { force: true });
      else for (const digest of pin?.digests ?? []) pinned.add(digest);
    }
    return pinned;
  }
}

async function readPin(path: string): Promise<z.infer<typeof schema> | null> {
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return null;
  }
}
