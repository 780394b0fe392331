import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findProgram } from "../../../scripts/host-packages.mjs";
import { type Op, realClock, withOp } from "../../../src/base/op.ts";
import { ensureBaseImage } from "../../../src/image/base-image.ts";
import { listImages, removeImages, tagImage } from "../../../src/image/catalogue.ts";
import { pruneImages } from "../../../src/image/prune.ts";
import { buildRootfs } from "../../../src/image/rootfs.ts";
import { type TempStore, tempStore } from "../../fixtures/image-store.ts";
import { makeOciLayout, type OciLayout } from "../../fixtures/oci-layout.ts";

const run = promisify(execFile);
const work = <T>(body: (op: Op) => Promise<T>) => withOp("test", {}, body);
const options = { arch: "x86_64", pull: "missing", insecureRegistries: [] } as const;
const keepNone = { inUse: new Set<string>(), unusedForMs: null };

let dir: string;
let temp: TempStore;
let layout: OciLayout;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-catalogue-"));
  temp = await tempStore();
  layout = await makeOciLayout(join(dir, "oci"), {
    layers: [{ entries: [{ path: "etc/hello", content: "hello\n", mode: 0o600, uid: 5 }] }],
  });
});
afterEach(async () => {
  await temp[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

test("a stored image is listed under its names, with its base once there is one", async () => {
  const image = await temp.resolve(layout.reference);
  await work((op) => tagImage(op, temp.store, layout.reference, "local/base:1", "x86_64"));
  const before = await work((op) => listImages(op, temp.store));
  expect(before).toMatchObject([
    { image_ref: "local/base:1", resolved_ref: image.digest, output_path: null },
    {
      image_ref: layout.reference,
      resolved_ref: `oci:${layout.dir}@${image.digest}`,
      digest: image.digest,
      platform: { os: "linux", architecture: "amd64" },
      size_bytes: image.layers[0]?.size,
    },
  ]);
  const base = await work((op) => ensureBaseImage(op, temp.store, image));
  const after = await work((op) => listImages(op, temp.store));
  expect(after.map((one) => [one.output_path, one.size_bytes])).toEqual([
    [base.path, base.sizeBytes],
    [base.path, base.sizeBytes],
  ]);
  expect(Date.parse(after[0]?.last_used_at ?? "")).not.toBeNaN();
});

test("a name given to an image resolves to it without its source", async () => {
  const { digest } = await temp.resolve(layout.reference);
  await work((op) => tagImage(op, temp.store, digest, "registry.invalid/app:1", "x86_64"));
  await rm(layout.dir, { recursive: true });
  expect((await temp.resolve("registry.invalid/app:1")).digest).toBe(digest);
  expect((await temp.resolve(digest)).digest).toBe(digest);
  await expect(
    work((op) => tagImage(op, temp.store, "local/none", "local/x", "x86_64")),
  ).rejects.toMatchObject({ code: "image_not_found" });
});

describe("pruning", () => {
  test("keeps what has a name, and takes all when it has none", async () => {
    const image = await temp.resolve(layout.reference);
    const base = await work((op) => ensureBaseImage(op, temp.store, image));
    expect(await work((op) => pruneImages(op, temp.store, keepNone))).toMatchObject({
      blobs: 0,
      bases: 0,
    });
    const removed = await work((op) => removeImages(op, temp.store, [image.digest, "no:1"], null));
    expect(removed).toEqual([
      { image_ref: layout.reference, digest: image.digest, deleted: true },
      { image_ref: "docker.io/library/no:1", digest: "", deleted: false },
    ]);
    const report = await work((op) => pruneImages(op, temp.store, keepNone));
    expect(report).toMatchObject({ blobs: 3, bases: 1 });
    expect(report.freed_bytes).toBeGreaterThan(0);
    await expect(stat(base.path)).rejects.toThrow();
    expect(await work((op) => listImages(op, temp.store))).toEqual([]);
  });

  test("keeps what a machine uses, name or not", async () => {
    const image = await temp.resolve(layout.reference);
    const base = await work((op) => ensureBaseImage(op, temp.store, image));
    await work((op) => removeImages(op, temp.store, [layout.reference], null));
    const inUse = new Set([image.digest]);
    await work((op) => pruneImages(op, temp.store, { inUse, unusedForMs: null }));
    await stat(base.path);
    expect((await temp.resolve(image.digest)).layers).toEqual(image.layers);
  });

  test("forgets old names when asked to", async () => {
    await temp.resolve(layout.reference);
    const hour = { ...keepNone, unusedForMs: 3_600_000 };
    expect((await work((op) => pruneImages(op, temp.store, hour))).names).toEqual([]);
    const later = { now: () => Date.now() + 7_200_000 };
    const report = await withOp("test", { clock: { ...realClock, ...later } }, (op) =>
      pruneImages(op, temp.store, hour),
    );
    expect(report).toMatchObject({ names: [layout.reference], blobs: 3 });
  });
});

describe("a damaged store", () => {
  test("with a broken record lists the others and pulls that one again", async () => {
    await temp.resolve(layout.reference);
    await work((op) => tagImage(op, temp.store, layout.reference, "local/x", "x86_64"));
    const { stdout } = await run("grep", ["-l", '"oci:', "-r", temp.store.names.dir]);
    await writeFile(stdout.trim(), "{");
    const warnings: string[] = [];
    const onProgress = (event: { kind: string; text?: string }) => {
      if (event.kind === "warning") warnings.push(event.text ?? "");
    };
    const listed = await withOp("test", { onProgress }, (op) => listImages(op, temp.store));
    expect(listed.map((one) => one.image_ref)).toEqual(["local/x:latest"]);
    expect(warnings).toEqual([expect.stringContaining(stdout.trim())]);
    await expect(temp.resolve(layout.reference, { pull: "never" })).rejects.toMatchObject({
      code: "store_corrupt",
    });
    await temp.resolve(layout.reference);
    expect(await work((op) => listImages(op, temp.store))).toHaveLength(2);
  });

  test("with a shortened layer gets it again", async () => {
    const image = await temp.resolve(layout.reference);
    const path = image.layers[0]?.path ?? "";
    const whole = await readFile(path);
    await writeFile(path, whole.subarray(0, 10));
    await temp.resolve(layout.reference);
    expect((await readFile(path)).equals(whole)).toBe(true);
  });
});

describe("rootfs build", () => {
  test.each([
    ["ext4", "e2fsck", ["-fn"]],
    ["erofs", "fsck.erofs", []],
  ] as const)("writes a clean %s, twice the same", async (format, checker, flags) => {
    const build = (name: string) =>
      work((op) =>
        buildRootfs(op, temp.store, layout.reference, {
          ...options,
          format,
          out: join(dir, name),
          allowMutable: false,
        }),
      );
    const first = await build("one");
    expect(first).toMatchObject({
      image_ref: layout.reference,
      base_source: "local-layout",
      format,
      output_path: join(dir, "one"),
    });
    // An ordinary user has no system directories in his PATH.
    await run(findProgram(checker) ?? checker, [...flags, first.output_path]);
    const second = await build("two");
    expect(second.base_source).toBe("cache");
    const [a, b] = await Promise.all([readFile(join(dir, "one")), readFile(join(dir, "two"))]);
    expect(a.equals(b)).toBe(true);
    expect(a.length).toBe(first.size_bytes);
  });

  test("refuses a tag unless told otherwise, and says what to write", async () => {
    const { digest } = await temp.resolve(layout.reference);
    await work((op) => tagImage(op, temp.store, digest, "quay.io/a/b:1", "x86_64"));
    const build = (allowMutable: boolean) =>
      work((op) =>
        buildRootfs(op, temp.store, "quay.io/a/b:1", {
          ...options,
          format: "ext4",
          out: join(dir, "x"),
          allowMutable,
        }),
      );
    await expect(build(false)).rejects.toMatchObject({
      code: "invalid_argument",
      hint: expect.stringContaining(`quay.io/a/b@${digest}`),
    });
    await expect(stat(join(dir, "x"))).rejects.toThrow();
    expect((await build(true)).base_source).toBe("cache");
  });
});
