import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { type GuestArchitecture, runsOn } from "./architecture.ts";
import { digestHex, sha256Of } from "./digest.ts";
import { loadStored } from "./load-stored.ts";
import { absoluteReference } from "./reference/absolute.ts";
import type { ImageReference, LocalReference } from "./reference/kinds.ts";
import { formatReference, isArchive, parseReference, resolvedReference } from "./reference.ts";
import type { ImageSource } from "./source/source.ts";
import type { NameRecord } from "./store/names.ts";
import type { ImageStore } from "./store.ts";
import type { ImageOrigin, StoredImage } from "./stored-image.ts";

/** When to ask where the image came from: only if it is not stored, every time, or not at all. */
export type PullPolicy = "missing" | "always" | "never";

export interface ResolveOptions {
  readonly arch: GuestArchitecture;
  readonly pull: PullPolicy;
  /** Registries (`host:port`) that may be spoken to without TLS; loopback always may. */
  readonly insecureRegistries: readonly string[];
  /** Relative paths of layouts and archives start here; the working directory when left out. */
  readonly baseDir?: string | undefined;
}

/**
 * Makes sure that an image is in the store, whole and verified, and describes it. Two processes that want the
 * same image do the work once. `image_*` and `registry_*` errors say what is wrong with the image or its source.
 */
export async function resolveImage(
  op: Op,
  store: ImageStore,
  text: string,
  options: ResolveOptions,
): Promise<StoredImage> {
  const reference = absoluteReference(parseReference(text), options.baseDir);
  if (reference.transport === "local")
    return await resolveLocal(op, store, reference, options.arch);
  const asked: Asked = { reference, name: formatReference(reference), options };
  const before = await fromStore(op, store, asked, null);
  if (before !== null) return before;
  if (options.pull === "never" && isRemote(reference)) throw notStored(asked.name);
  const startedAt = op.clock.now();
  return await store.lock(
    op,
    `name-${digestHex(sha256Of(`${asked.name}\n${options.arch}`))}`,
    async () =>
      (await fromStore(op, store, asked, startedAt)) ?? (await fetchImage(op, store, asked)),
    `Waiting for another pull of ${asked.name}`,
  );
}

interface Asked {
  readonly reference: Exclude<ImageReference, LocalReference>;
  readonly name: string;
  readonly options: ResolveOptions;
}

/**
 * What the store already has, if the policy lets it count. `since` is when we began to wait for another process: what
 * it fetched after that is as good as fetched by us.
 */
async function fromStore(
  op: Op,
  store: ImageStore,
  asked: Asked,
  since: number | null,
): Promise<StoredImage | null> {
  const { reference, name, options } = asked;
  const record = await recordOf(store, name, options);
  if (record === null) return await fromStoreByDigest(op, store, asked);
  const fresh = since !== null && record.fetchedAt >= since;
  if (reference.digest !== null) return await stored(op, store, record, "cache");
  if (options.pull === "always" && !fresh) return null;
  // Layouts are cheap to look at and may have changed; their blobs are found in the store anyway.
  if (reference.transport === "oci" && !fresh) return null;
  if (isArchive(reference) && record.stamp !== (await stampOf(reference.path))) return null;
  return await stored(op, store, record, "cache");
}

async function recordOf(
  store: ImageStore,
  name: string,
  options: ResolveOptions,
): Promise<NameRecord | null> {
  try {
    return await store.names.get(name, options.arch);
  } catch (error) {
    // A record that cannot be read is replaced by pulling, if pulling is allowed.
    if (options.pull === "never") throw error;
    return null;
  }
}

/** A digest means the same bytes under every name. */
async function fromStoreByDigest(
  op: Op,
  store: ImageStore,
  { reference, name, options }: Asked,
): Promise<StoredImage | null> {
  if (reference.digest === null) return null;
  const content = await loadStored(op, store, reference.digest);
  if (content === null || !runsOn(content.architecture, options.arch)) return null;
  await record(op, store, { reference, name, options }, content.digest, "tag", null);
  return await storedByName(op, store, name, options.arch, "cache");
}

/** What fetching needs is loaded only to fetch: an image is fetched once and used many times. */
async function fetchImage(op: Op, store: ImageStore, asked: Asked): Promise<StoredImage> {
  const { ingest } = await import("./ingest.ts");
  const { reference, name, options } = asked;
  await using staging = isStaged(reference) ? await store.staging.open("image") : null;
  // Before reading: a file that changes meanwhile must not count as read.
  const stamp = isArchive(reference) ? await stampOf(reference.path) : null;
  const source = await openSource(op, asked, store, staging?.path ?? "");
  const known = await recordOf(store, name, { ...options, pull: "always" });
  const digest = await ingest(op, store, source, options.arch, async (found) => {
    if (isStaged(reference)) checkPinned(source.what, reference.digest, found);
    await record(op, store, asked, found, source.origin, stamp);
  });
  const unchanged = known?.digest === digest && source.origin === "local-layout";
  return await storedByName(op, store, name, options.arch, unchanged ? "cache" : source.origin);
}

/** Archives and package builds have no names by digest: what came of them is compared. */
function checkPinned(what: string, wanted: string | null, found: string): void {
  if (wanted === null || wanted === found) return;
  throw new MicroagentError(
    "image_digest_mismatch",
    `${what} amounts to "${found}", wanted "${wanted}"`,
    { hint: "Name it without the digest to take what it is now" },
  );
}

async function openSource(
  op: Op,
  { reference, options }: Asked,
  store: ImageStore,
  stagingDir: string,
): Promise<ImageSource> {
  switch (reference.transport) {
    case "docker": {
      const { registrySource } = await import("./source/registry.ts");
      return await registrySource(op, reference, {
        authPath: store.authPath,
        insecureRegistries: options.insecureRegistries,
      });
    }
    case "oci":
      return (await import("./source/layout.ts")).layoutSource(reference);
    case "oci-archive":
    case "docker-archive": {
      const { openArchive } = await import("./source/archive.ts");
      return await openArchive(op, reference, stagingDir);
    }
    case "mmdebstrap": {
      const { mmdebstrapSource } = await import("./source/mmdebstrap.ts");
      return await mmdebstrapSource(op, reference, options.arch, stagingDir);
    }
  }
}

async function stampOf(path: string): Promise<string> {
  return await (await import("./source/archive.ts")).archiveStamp(path);
}

function record(
  op: Op,
  store: ImageStore,
  { reference, name, options }: Asked,
  digest: string,
  origin: NameRecord["origin"],
  stamp: string | null,
): Promise<void> {
  return store.names.put({
    reference: name,
    resolvedRef: resolvedReference(reference, digest),
    arch: options.arch,
    digest,
    origin,
    stamp,
    fetchedAt: op.clock.now(),
  });
}

async function resolveLocal(
  op: Op,
  store: ImageStore,
  reference: LocalReference,
  arch: GuestArchitecture,
): Promise<StoredImage> {
  if (reference.name !== null && reference.digest === null) {
    return await storedByName(op, store, reference.name, arch, "cache");
  }
  const digest = reference.digest ?? "";
  const content = await loadStored(op, store, digest);
  if (content === null) throw notStored(formatReference(reference));
  return {
    reference: formatReference(reference),
    resolvedRef: resolvedReference(reference, digest),
    digest,
    arch: runsOn(content.architecture, "aarch64") ? "aarch64" : "x86_64",
    config: content.config,
    layers: content.layers,
    origin: "cache",
  };
}

async function storedByName(
  op: Op,
  store: ImageStore,
  name: string,
  arch: GuestArchitecture,
  origin: ImageOrigin,
): Promise<StoredImage> {
  const found = await store.names.get(name, arch);
  const image = found === null ? null : await stored(op, store, found, origin);
  if (image === null) throw notStored(name);
  return image;
}

async function stored(
  op: Op,
  store: ImageStore,
  found: NameRecord,
  origin: ImageOrigin,
): Promise<StoredImage | null> {
  const content = await loadStored(op, store, found.digest);
  if (content === null) return null;
  await store.names.touch(found, new Date(op.clock.now()));
  return {
    reference: found.reference,
    resolvedRef: found.resolvedRef,
    digest: found.digest,
    arch: found.arch,
    config: content.config,
    layers: content.layers,
    origin,
  };
}

function isStaged(reference: ImageReference): boolean {
  return isArchive(reference) || reference.transport === "mmdebstrap";
}

function isRemote(reference: ImageReference): boolean {
  return reference.transport === "docker" || reference.transport === "mmdebstrap";
}

function notStored(name: string): MicroagentError {
  return new MicroagentError("image_not_found", `Image "${name}" is not in the store`, {
    hint:
      name.startsWith("local/") || name.startsWith("sha256:")
        ? "See what is stored: microagent image list"
        : `Pull it: microagent image pull ${name}`,
  });
}
