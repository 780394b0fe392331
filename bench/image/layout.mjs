// The image of the image case: a Debian with Python as an OCI layout with gzip layers, like one that was pulled.
import { createHash } from "node:crypto";
import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { withOp } from "../product.mjs";
import { cutTar } from "./cut-tar.mjs";

const packages = "mmdebstrap:bookworm?variant=minbase&include=python3-minimal";
const layerCount = 3;
const compress = promisify(gzip);

/** Folder of the layout; made once, and kept in `folder`. Its tag is "bench". */
export async function ensureLayout(engine, folder) {
  const image = await withOp("bench", (op) =>
    engine.images.resolve(op, {
      image: packages,
      pull: "missing",
      insecureRegistries: [],
      arch: undefined,
    }),
  );
  const path = join(folder, `layout-${image.digest.slice(7, 23)}`);
  const there = await access(join(path, "index.json")).then(
    () => true,
    () => false,
  );
  if (there) return path;
  const fresh = `${path}.${process.pid}`;
  await writeLayout(fresh, await readFile(image.layers[0].path));
  await rm(path, { recursive: true, force: true });
  await rename(fresh, path);
  return path;
}

/** How the product names the layout. */
export function layoutReference(path) {
  return `oci:${path}:bench`;
}

/** The layers' blobs of the layout, in order. */
export async function layersOf(path) {
  const index = JSON.parse(await readFile(join(path, "index.json"), "utf8"));
  const manifest = JSON.parse(await readFile(blobPath(path, index.manifests[0].digest), "utf8"));
  return manifest.layers.map((layer) => blobPath(path, layer.digest));
}

async function writeLayout(path, tar) {
  await mkdir(join(path, "blobs", "sha256"), { recursive: true });
  const parts = cutTar(tar, layerCount);
  const layers = [];
  for (const part of parts) {
    layers.push(await writeBlob(path, await compress(part, { level: 6 }), "layer.v1.tar+gzip"));
  }
  const config = {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Cmd: ["/bin/sh"] },
    rootfs: { type: "layers", diff_ids: parts.map((part) => `sha256:${sha256(part)}`) },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: await writeBlob(path, JSON.stringify(config), "config.v1+json"),
    layers,
  };
  const described = await writeBlob(path, JSON.stringify(manifest), "manifest.v1+json");
  const tagged = { ...described, annotations: { "org.opencontainers.image.ref.name": "bench" } };
  await writeFile(join(path, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  const index = { schemaVersion: 2, manifests: [tagged] };
  await writeFile(join(path, "index.json"), JSON.stringify(index));
}

async function writeBlob(path, content, kind) {
  const bytes = Buffer.from(content);
  const digest = `sha256:${sha256(bytes)}`;
  await writeFile(blobPath(path, digest), bytes);
  return { mediaType: `application/vnd.oci.image.${kind}`, digest, size: bytes.length };
}

function blobPath(path, digest) {
  return join(path, "blobs", "sha256", digest.slice(7));
}

function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}
