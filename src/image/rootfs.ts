import { constants, copyFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve as resolvePath } from "node:path";
import { MicroagentError } from "../base/errors.ts";
import { randomHex } from "../base/ids.ts";
import type { Op } from "../base/op.ts";
import { fileError } from "../host/file-error.ts";
import { ociArchitecture } from "./architecture.ts";
import { findBaseImage } from "./base-image.ts";
import { buildErofs } from "./erofs/build.ts";
import { buildExt4 } from "./ext4/build.ts";
import { formatReference, isMutableReference, parseReference } from "./reference.ts";
import { type ResolveOptions, resolveImage } from "./resolve.ts";
import type { ImageStore } from "./store.ts";
import type { StoredImage } from "./stored-image.ts";

export interface RootfsOptions extends ResolveOptions {
  /** The file to write; an existing one is replaced when the new one is whole. */
  readonly out: string;
  readonly format: "ext4" | "erofs";
  /** Size of an ext4 in MiB; as small as fits when left out. EROFS has no spare room. */
  readonly sizeMib?: number | undefined;
  /** Accept a tag, which can mean another image tomorrow. */
  readonly allowMutable: boolean;
}

/** What was built and what it was built from, in the keys of the command's JSON. */
export interface RootfsReport {
  readonly image_ref: string;
  readonly resolved_ref: string;
  readonly digest: string;
  readonly platform: { readonly os: "linux"; readonly architecture: string };
  readonly base_source: "registry" | "local-layout" | "mmdebstrap" | "cache";
  readonly format: "ext4" | "erofs";
  readonly output_path: string;
  readonly size_bytes: number;
}

/**
 * Writes an image's tree as one file system, the same bytes for the same digest, as any user. A tag is
 * `invalid_argument` unless allowed, because what is built from it cannot be built again.
 */
export async function buildRootfs(
  op: Op,
  store: ImageStore,
  text: string,
  options: RootfsOptions,
): Promise<RootfsReport> {
  if (options.format === "erofs" && options.sizeMib !== undefined) {
    throw new MicroagentError("invalid_argument", "An EROFS image takes no size: it is read-only", {
      hint: "Leave out --size-mib, or choose --format ext4",
    });
  }
  await checkOut(options.out);
  const reference = parseReference(text);
  if (isMutableReference(reference) && !options.allowMutable) {
    throw await mutableError(store, formatReference(reference), options);
  }
  const image = await resolveImage(op, store, text, options);
  const out = resolvePath(options.out);
  const beside = join(dirname(out), `.${basename(out)}.${randomHex(6)}.tmp`);
  await using _pin = await store.pin(op, [image.digest, ...image.layers.map((one) => one.digest)]);
  try {
    await op.step(options.format, (step) => write(step, store, image, beside, options));
    await rename(beside, out);
    const { size } = await stat(out);
    return {
      image_ref: image.reference,
      resolved_ref: image.resolvedRef,
      digest: image.digest,
      platform: { os: "linux", architecture: ociArchitecture(image.arch) },
      base_source: image.origin,
      format: options.format,
      output_path: out,
      size_bytes: size,
    };
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    throw fileError(error, `File "${out}" cannot be written`);
  }
}

/** Looks where the file is to go before anything is fetched or built for it. */
async function checkOut(out: string): Promise<void> {
  const path = resolvePath(out);
  const isDir = async (at: string) => (await stat(at).catch(() => null))?.isDirectory() === true;
  if (out.endsWith("/") || (await isDir(path))) {
    throw new MicroagentError(
      "invalid_argument",
      `"${out}" is a directory: wanted a file to write`,
      {
        hint: `Name a file in it: --out ${join(out, "rootfs.img")}`,
      },
    );
  }
  if (await isDir(dirname(path))) return;
  throw new MicroagentError(
    "invalid_argument",
    `Directory "${dirname(path)}" does not exist, so "${basename(path)}" cannot be written there`,
    { hint: `Make it with: mkdir -p ${dirname(path)}` },
  );
}

async function write(
  op: Op,
  store: ImageStore,
  image: StoredImage,
  path: string,
  options: RootfsOptions,
): Promise<void> {
  const seedDigest = image.digest;
  if (options.format === "ext4") {
    const size = options.sizeMib === undefined ? {} : { sizeMib: options.sizeMib };
    await buildExt4(op, image.layers, path, { seedDigest, ...size });
    return;
  }
  const base = await findBaseImage(store, image.digest);
  if (base === null) await buildErofs(op, image.layers, path, { seedDigest });
  else await copyFile(base.path, path, constants.COPYFILE_FICLONE);
}

async function mutableError(
  store: ImageStore,
  name: string,
  options: RootfsOptions,
): Promise<MicroagentError> {
  const known = await store.names.get(name, options.arch).catch(() => null);
  return new MicroagentError(
    "invalid_argument",
    `Image "${name}" is named by a tag, which can change; wanted a digest`,
    {
      hint:
        known === null
          ? "Name it by digest (NAME@sha256:...), or pass --allow-mutable"
          : `Name it as ${known.resolvedRef}, or pass --allow-mutable`,
    },
  );
}
