import { rm } from "node:fs/promises";
import { join } from "node:path";
import { randomHex } from "../../base/ids.ts";
import { namesIn } from "../../host/directory-names.ts";
import { identityTag, isTaggedByDead, ownIdentity } from "../../host/process-identity.ts";
import type { StateLayout } from "../../host/state-layout.ts";

const prefix = "passing-";

/** A name for a snapshot that is of use to this process only: a collection removes it when the process has gone. */
export function passingTag(): string {
  return `${prefix}${identityTag(ownIdentity())}-${randomHex(4)}`;
}

/** Removes the snapshots of processes that are dead, and returns their names. */
export async function removePassed(layout: StateLayout): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of await namesIn(layout.snapshots)) {
    if (!name.startsWith(prefix) || !isTaggedByDead(name)) continue;
    await rm(join(layout.snapshots, name), { recursive: true, force: true, maxRetries: 3 });
    removed.push(name);
  }
  return removed;
}
