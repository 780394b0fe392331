import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type TempStore, tempStore } from "../../fixtures/image-store.ts";
import { digestOf } from "../../fixtures/oci-layout.ts";
import { type LayerEntry, tarLayer } from "../../fixtures/tar-layer.ts";

let dir: string;
let temp: TempStore;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-archive-"));
  temp = await tempStore();
});
afterEach(async () => {
  await temp[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const layer = tarLayer([{ path: "hello", content: "hi\n" }]);
const config = JSON.stringify({
  os: "linux",
  architecture: "amd64",
  config: { Cmd: ["/hello"] },
  rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
});

function manifest(
  ...images: { layers?: string[]; config?: string; tags?: string[] }[]
): LayerEntry {
  const content = images.map((image) => ({
    Config: image.config ?? "config.json",
    RepoTags: image.tags ?? null,
    Layers: image.layers ?? ["abc/layer.tar"],
  }));
  return { path: "manifest.json", content: JSON.stringify(content) };
}

async function archive(entries: readonly LayerEntry[], cutTo?: number): Promise<string> {
  const path = join(dir, "image.tar");
  await writeFile(path, tarLayer(entries).subarray(0, cutTo));
  return `docker-archive:${path}`;
}

const parts: readonly LayerEntry[] = [
  { path: "abc/layer.tar", content: layer },
  { path: "config.json", content: config },
];

describe("the archive of docker save", () => {
  test("is read whatever its order", async () => {
    const image = await temp.resolve(await archive([...parts, manifest({})]));
    expect(image.layers.map((one) => one.digest)).toEqual([digestOf(layer)]);
    expect(image.config.cmd).toEqual(["/hello"]);
    const again = await temp.resolve(await archive([manifest({}), ...parts]));
    expect(again.digest).toBe(image.digest);
  });

  test.each([
    ["a symbolic link", { path: "x/layer.tar", type: "symlink", target: "../abc/layer.tar" }],
    ["a hard link", { path: "x/layer.tar", type: "hardlink", target: "abc/layer.tar" }],
  ] as const)("may name a layer by %s", async (_name, link) => {
    const reference = await archive([...parts, link, manifest({ layers: ["x/layer.tar"] })]);
    expect((await temp.resolve(reference)).layers[0]?.digest).toBe(digestOf(layer));
  });

  test("may be compressed as a whole, and its layers too", async () => {
    const path = join(dir, "image.tar.gz");
    const zipped = { path: "abc/layer.tar", content: gzipSync(layer) };
    await writeFile(path, gzipSync(tarLayer([zipped, ...parts.slice(1), manifest({})])));
    const image = await temp.resolve(`docker-archive:${path}`);
    expect(image.layers[0]).toMatchObject({ compression: "gzip", diffId: digestOf(layer) });
  });

  test("asks which image is meant, by short or full name", async () => {
    const reference = await archive([
      ...parts,
      manifest({ tags: ["app:1"] }, { tags: ["docker.io/library/app:2"] }),
    ]);
    await expect(temp.resolve(reference)).rejects.toMatchObject({
      code: "image_not_found",
      hint: expect.stringContaining("app:1"),
    });
    expect((await temp.resolve(`${reference}:app:2`)).config.cmd).toEqual(["/hello"]);
    await expect(temp.resolve(`${reference}:app:3`)).rejects.toMatchObject({
      code: "image_not_found",
    });
  });

  test("is read again when the file changed", async () => {
    const first = await temp.resolve(await archive([...parts, manifest({})]));
    const other = config.replace("/hello", "/other");
    const changed = [parts[0], { path: "config.json", content: other }, manifest({})];
    const second = await temp.resolve(await archive(changed as LayerEntry[]));
    expect(second.digest).not.toBe(first.digest);
    expect(second.config.cmd).toEqual(["/other"]);
  });

  test.each<[string, readonly LayerEntry[], string]>([
    ["no manifest", parts, "image_corrupt"],
    ["a layer that is not there", [...parts, manifest({ layers: ["no.tar"] })], "image_corrupt"],
    [
      "a layer that is a link out of it",
      [
        ...parts,
        { path: "x/layer.tar", type: "symlink", target: "../../etc/passwd" },
        manifest({ layers: ["x/layer.tar"] }),
      ],
      "image_corrupt",
    ],
    [
      "a layer that is a link to an absolute path",
      [
        ...parts,
        { path: "x/layer.tar", type: "symlink", target: "/etc/passwd" },
        manifest({ layers: ["x/layer.tar"] }),
      ],
      "image_corrupt",
    ],
    [
      "links that go round",
      [
        ...parts,
        { path: "a.tar", type: "symlink", target: "b.tar" },
        { path: "b.tar", type: "symlink", target: "a.tar" },
        manifest({ layers: ["a.tar"] }),
      ],
      "image_corrupt",
    ],
    [
      "a name that climbs out",
      [{ path: "../../evil.tar", content: "x" }, ...parts, manifest({})],
      "image_hostile",
    ],
    [
      "an absolute name",
      [{ path: "/evil.tar", content: "x" }, ...parts, manifest({})],
      "image_hostile",
    ],
    [
      "more layers than the configuration knows",
      [...parts, manifest({ layers: ["abc/layer.tar", "abc/layer.tar"] })],
      "image_corrupt",
    ],
    [
      "a manifest that is none",
      [...parts, { path: "manifest.json", content: "[1]" }],
      "image_corrupt",
    ],
    ["nothing in it", [], "image_corrupt"],
  ])("with %s is refused", async (_name, entries, code) => {
    await expect(temp.resolve(await archive(entries))).rejects.toMatchObject({ code });
    expect(await readdir(join(temp.store.root, "staging"))).toEqual([]);
  });

  test.each([512, 700, 1100, 2000])("cut after %d bytes is refused", async (cutTo) => {
    const reference = await archive([...parts, manifest({})], cutTo);
    await expect(temp.resolve(reference)).rejects.toMatchObject({ code: "image_corrupt" });
    expect(await readdir(join(temp.store.root, "staging"))).toEqual([]);
  });

  test("that is no tar, no file, or not there is refused", async () => {
    const path = join(dir, "image.tar");
    await writeFile(path, "x".repeat(5_000));
    await expect(temp.resolve(`docker-archive:${path}`)).rejects.toMatchObject({
      code: "image_corrupt",
    });
    await expect(temp.resolve(`docker-archive:${dir}`)).rejects.toMatchObject({
      code: "image_corrupt",
      hint: expect.stringContaining(`oci:${dir}`),
    });
    await expect(temp.resolve(`oci-archive:${dir}/none`)).rejects.toMatchObject({
      code: "image_not_found",
    });
  });
});
