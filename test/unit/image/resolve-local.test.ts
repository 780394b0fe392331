import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tempStore } from "../../fixtures/image-store.ts";
import { makeOciLayout } from "../../fixtures/oci-layout.ts";

const run = promisify(execFile);
const hello = { layers: [{ entries: [{ path: "hello", content: "hi\n" }] }] };

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-layout-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe("an OCI layout", () => {
  test("gives its image with configuration and layers", async () => {
    await using temp = await tempStore();
    const layout = await makeOciLayout(join(dir, "a"), {
      layers: [...hello.layers, { entries: [{ path: "two" }], compression: "none" }],
      config: { User: "nobody", Env: ["A=1"], Cmd: ["/hello"], StopSignal: "SIGINT" },
    });
    const image = await temp.resolve(layout.reference);
    expect(image).toMatchObject({
      reference: layout.reference,
      resolvedRef: `oci:${layout.dir}@${layout.digest}`,
      digest: layout.digest,
      origin: "local-layout",
      config: {
        user: "nobody",
        env: ["A=1"],
        cmd: ["/hello"],
        entrypoint: [],
        stopSignal: "SIGINT",
      },
    });
    expect(image.layers.map((layer) => [layer.digest, layer.compression])).toEqual([
      [layout.layerDigests[0], "gzip"],
      [layout.layerDigests[1], "none"],
    ]);
    const bytes = await readFile(image.layers[1]?.path ?? "");
    expect(bytes.length).toBe(image.layers[1]?.size);
    expect((await temp.resolve(layout.reference)).origin).toBe("cache");
  });
  test.each([
    ["oci-archive", "oci-archive"],
    ["docker-archive", "docker-archive"],
  ])("and skopeo's %s of it the same layers", async (transport) => {
    await using temp = await tempStore();
    const layout = await makeOciLayout(join(dir, "a"), hello);
    const path = join(dir, "image.tar");
    await run("skopeo", ["copy", layout.reference, `${transport}:${path}:name/x:latest`]);
    const image = await temp.resolve(`${transport}:${path}`);
    const direct = await temp.resolve(layout.reference);
    expect(image.layers.map((layer) => layer.diffId)).toEqual(
      direct.layers.map((layer) => layer.diffId),
    );
    expect((await temp.resolve(`${transport}:${path}`)).origin).toBe("cache");

    await using other = await tempStore();
    const pinned = await other.resolve(image.resolvedRef);
    expect(pinned.digest).toBe(image.digest);
    const wrong = `${transport}:${path}@sha256:${"0".repeat(64)}`;
    await expect(other.resolve(wrong)).rejects.toMatchObject({ code: "image_digest_mismatch" });
    await expect(other.resolve(wrong, { pull: "never" })).rejects.toThrow();
  });

  test("gives one platform of an index by tag and by digest, and names an unknown tag", async () => {
    await using temp = await tempStore();
    const arm = { layers: [{ entries: [{ path: "arm" }] }], architecture: "arm64" };
    const layout = await makeOciLayout(join(dir, "m"), { ...hello, platforms: [arm], tag: "2" });
    const image = await temp.resolve(`oci:${layout.dir}`);
    expect(image.digest).toBe(layout.manifestDigest);
    await using other = await tempStore();
    expect((await other.resolve(image.resolvedRef)).digest).toBe(image.digest);
    expect((await temp.resolve(layout.reference, { arch: "aarch64" })).digest).not.toBe(
      image.digest,
    );
    await expect(temp.resolve(`oci:${layout.dir}:3`)).rejects.toMatchObject({
      code: "image_not_found",
      hint: "It has the tags: 2",
    });
  });

  test("that lies is refused", async () => {
    await using temp = await tempStore();
    const layout = await makeOciLayout(join(dir, "a"), hello);
    const blob = (digest: string | undefined) =>
      join(layout.dir, "blobs/sha256", digest?.slice(7) ?? "");
    const layer = await readFile(blob(layout.layerDigests[0]));
    await writeFile(blob(layout.layerDigests[0]), layer.fill(0, 20, 30));
    await expect(temp.resolve(layout.reference)).rejects.toMatchObject({
      code: "image_digest_mismatch",
    });
    await rm(blob(layout.layerDigests[0]));
    await expect(temp.resolve(layout.reference)).rejects.toMatchObject({ code: "image_corrupt" });
    await writeFile(blob(layout.manifestDigest), "{}");
    await expect(temp.resolve(layout.reference)).rejects.toMatchObject({
      code: "image_digest_mismatch",
    });
    await rm(join(layout.dir, "oci-layout"));
    await expect(temp.resolve(layout.reference)).rejects.toMatchObject({
      code: "image_corrupt",
      hint: expect.stringContaining("OCI image layout"),
    });
    await expect(temp.resolve(`oci:${dir}/none`)).rejects.toMatchObject({
      code: "image_not_found",
    });
  });
});
