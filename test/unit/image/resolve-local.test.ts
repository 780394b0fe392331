import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
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
  });
});
