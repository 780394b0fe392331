import { readdir } from "node:fs/promises";
import { isMicroagentError } from "../../base/errors.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { readRecord } from "./record.ts";

/** Manifest digests of the images that workspaces were begun on: their disks fit no others. */
export async function imagesInUse(layout: StateLayout): Promise<ReadonlySet<string>> {
  const digests = new Set<string>();
  for (const name of await readdir(layout.workspaces).catch(() => [])) {
    try {
      const digest = (await readRecord(layout, name))?.imageDigest ?? null;
      if (digest !== null) digests.add(digest);
    } catch (error) {
      // A damaged record, or a name that is none of ours, protects nothing.
      if (!isMicroagentError(error)) throw error;
    }
  }
  return digests;
}
