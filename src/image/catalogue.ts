import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { type GuestArchitecture, ociArchitecture } from "./architecture.ts";
import { findBaseImage } from "./base-image.ts";
import { isSha256Digest } from "./digest.ts";
import { loadStored } from "./load-stored.ts";
import { absoluteReference } from "./reference/absolute.ts";
import { formatReference, parseReference, resolvedReference } from "./reference.ts";
import type { NameRecord } from "./store/names.ts";
import type { ImageStore } from "./store.ts";

/** One name of the store as people and programs are shown it. */
export interface ImageListing {
  readonly image_ref: string;
  readonly resolved_ref: string;
  readonly digest: string;
  readonly platform: { readonly os: "linux"; readonly architecture: string };
  /** The base image's file, null until something booted from it. */
  readonly output_path: string | null;
  /** Of the base image, or of its layers as long as there is none. */
  readonly size_bytes: number;
  readonly last_used_at: string;
}

/** Every name in the store, by reference; unreadable records become warnings. */
export async function listImages(op: Op, store: ImageStore): Promise<readonly ImageListing[]> {
  const records = await store.names.list((error) =>
    op.report({ kind: "warning", text: error.message }),
  );
  return await Promise.all(records.map((record) => describe(op, store, record)));
}

/**
 * Gives a stored image another name, `local/...` or one of a registry (nothing is pushed). The source is a name of the
 * store or a manifest digest. `image_not_found` when it is not stored.
 */
export async function tagImage(
  op: Op,
  store: ImageStore,
  source: string,
  target: string,
  arch: GuestArchitecture,
): Promise<ImageListing> {
  const name = parseReference(target);
  if (!("registry" in name || name.transport === "local") || name.digest !== null) {
    throw new MicroagentError(
      "image_reference_invalid",
      `Image name "${target}" cannot be given: wanted a name with a tag`,
      { hint: "Write it like: local/base:1" },
    );
  }
  const from = await findRecord(store, source, arch);
  // The pin keeps a prune between the two records from taking what the new one names.
  await using _pin = await store.pin(op, await closureOf(op, store, from.digest));
  await store.names.put({
    reference: formatReference(name),
    resolvedRef: resolvedReference(name, from.digest),
    arch: from.arch,
    digest: from.digest,
    origin: "tag",
    stamp: null,
    fetchedAt: op.clock.now(),
  });
  return await describe(op, store, await findRecord(store, formatReference(name), from.arch));
}

/** Forgets names (never bytes: those go with `pruneImages`); a digest forgets all names of that image. */
export async function removeImages(
  op: Op,
  store: ImageStore,
  references: readonly string[],
  arch: GuestArchitecture | null,
): Promise<
  readonly { readonly image_ref: string; readonly digest: string; readonly deleted: boolean }[]
> {
  const removed = [];
  const all = await store.names.list(() => {});
  for (const text of references) {
    op.check();
    const name = canonicalName(text);
    const fitting = all.filter(
      (record) =>
        (record.reference === name || record.digest === name) &&
        (arch === null || record.arch === arch),
    );
    for (const record of fitting) {
      await store.names.remove(record);
      removed.push({ image_ref: record.reference, digest: record.digest, deleted: true });
    }
    if (fitting.length === 0) removed.push({ image_ref: name, digest: "", deleted: false });
  }
  return removed;
}

/** Digests of every file an image is made of: manifest, configuration and layers, as far as they can be read. */
export async function closureOf(
  op: Op,
  store: ImageStore,
  digest: string,
): Promise<readonly string[]> {
  const content = await loadStored(op, store, digest).catch(() => null);
  if (content === null) return [digest];
  return [digest, content.configDigest, ...content.layers.map((layer) => layer.digest)];
}

async function describe(op: Op, store: ImageStore, record: NameRecord): Promise<ImageListing> {
  const base = await findBaseImage(store, record.digest);
  return {
    image_ref: record.reference,
    resolved_ref: record.resolvedRef,
    digest: record.digest,
    platform: { os: "linux", architecture: ociArchitecture(record.arch) },
    output_path: base?.path ?? null,
    size_bytes: base?.sizeBytes ?? (await layerBytes(op, store, record.digest)),
    last_used_at: record.lastUsedAt.toISOString(),
  };
}

async function layerBytes(op: Op, store: ImageStore, digest: string): Promise<number> {
  const content = await loadStored(op, store, digest).catch(() => null);
  return (content?.layers ?? []).reduce((sum, layer) => sum + layer.size, 0);
}

async function findRecord(
  store: ImageStore,
  text: string,
  arch: GuestArchitecture,
): Promise<NameRecord> {
  const name = canonicalName(text);
  const record = isSha256Digest(name)
    ? (await store.names.list(() => {})).find((one) => one.digest === name)
    : await store.names.get(name, arch);
  if (record === null || record === undefined) {
    throw new MicroagentError("image_not_found", `Image "${name}" is not in the store`, {
      hint: "See what is stored: microagent image list",
    });
  }
  return record;
}

/** The name under which the store keeps a reference. */
export function canonicalName(text: string): string {
  return formatReference(absoluteReference(parseReference(text)));
}
