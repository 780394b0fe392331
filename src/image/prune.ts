import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Op } from "../base/op.ts";
import { sweepLocks } from "../host/lock.ts";
import { basePath } from "./base-image.ts";
import { closureOf } from "./catalogue.ts";
import { digestHex } from "./digest.ts";
import { sweepUnfinished } from "./store/unfinished.ts";
import type { ImageStore } from "./store.ts";

/** Interrupted writes younger than this may still be somebody's. */
const unfinishedMs = 60 * 60 * 1000;

export interface PruneOptions {
  /** Manifest digests that machines use now (from the leases): their images stay whole. */
  readonly inUse: ReadonlySet<string>;
  /** Also forget names not used for this long, in milliseconds; null keeps every name. */
  readonly unusedForMs: number | null;
}

export interface PruneReport {
  /** References whose names were forgotten because of their age. */
  readonly names: readonly string[];
  readonly blobs: number;
  readonly bases: number;
  readonly partials: number;
  readonly freed_bytes: number;
}

/**
 * Removes what no name, machine or running pull needs: blobs, base images, interrupted downloads and the litter of
 * killed processes. Safe beside running pulls and builds.
 */
export async function pruneImages(
  op: Op,
  store: ImageStore,
  options: PruneOptions,
): Promise<PruneReport> {
  const names = await forgetOldNames(op, store, options);
  const now = op.clock.now();
  const report = await store.gate(op, async () => {
    const keep = new Set<string>(await store.pins.collect(now));
    const images = new Set<string>(options.inUse);
    for (const record of await readNames(op, store)) images.add(record.digest);
    for (const digest of images) {
      for (const part of await closureOf(op, store, digest)) keep.add(part);
    }
    const freed = { blobs: 0, bases: 0, partials: 0, freed_bytes: 0 };
    const remove = async (path: string, kind: "blobs" | "bases" | "partials") => {
      const facts = await stat(path).catch(() => null);
      await rm(path, { force: true });
      freed[kind]++;
      // Disks are sparse: what counts is what the file system gave.
      freed.freed_bytes += facts === null ? 0 : facts.blocks * 512;
    };
    for (const digest of await store.blobs.list()) {
      op.check();
      if (!keep.has(digest)) await remove(store.blobs.path(digest), "blobs");
    }
    const keepHex = new Set([...keep].map(digestHex));
    for (const name of await readdir(store.partialDir).catch(() => [])) {
      if (!keepHex.has(name)) await remove(join(store.partialDir, name), "partials");
    }
    const bases = new Set([...keep].map((digest) => basePath(store, digest)));
    for (const name of await readdir(store.basesDir).catch(() => [])) {
      const path = join(store.basesDir, name);
      if (!bases.has(path)) await remove(path, "bases");
    }
    return freed;
  });
  await store.staging.sweep(now);
  for (const dir of [store.blobs.dir, store.names.dir]) {
    await sweepUnfinished(dir, now - unfinishedMs);
  }
  await sweepLocks(op, store.locksDir);
  return { names, ...report };
}

async function forgetOldNames(
  op: Op,
  store: ImageStore,
  options: PruneOptions,
): Promise<readonly string[]> {
  if (options.unusedForMs === null) return [];
  const before = op.clock.now() - options.unusedForMs;
  const forgotten: string[] = [];
  for (const record of await readNames(op, store)) {
    if (record.lastUsedAt.getTime() >= before || options.inUse.has(record.digest)) continue;
    await store.names.remove(record);
    forgotten.push(record.reference);
  }
  return forgotten;
}

function readNames(op: Op, store: ImageStore) {
  return store.names.list((error) => op.report({ kind: "warning", text: error.message }));
}
