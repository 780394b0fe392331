import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withOp } from "../../../../src/base/op.ts";
import { buildErofs } from "../../../../src/image/erofs/build.ts";
import { buildExt4, type Ext4Options } from "../../../../src/image/ext4/build.ts";
import type { LayerBlob } from "../../../../src/image/layer.ts";
import { inTempDir } from "../../../fixtures/build-listing.ts";
import { storeLayer } from "../../../fixtures/layer-blob.ts";
import { type RawEntry, rawTar } from "../../../fixtures/raw-tar.ts";
import { readErofs } from "../../../fixtures/read-erofs.ts";
import { readExt4 } from "../../../fixtures/read-ext4.ts";
import type { ListedFile, TreeListing } from "../../../fixtures/tree-listing.ts";

const MiB = 2 ** 20;
const build = (layers: readonly LayerBlob[], out: string, options: Partial<Ext4Options> = {}) =>
  withOp("test", {}, (op) => buildExt4(op, layers, out, { seedDigest: "sha256:a", ...options }));

const acl = Buffer.from(
  "0200000001000600ffffffff0200070005000000040004ffffffffff10000700ffffffff20000400ffffffff",
  "hex",
);
acl.writeUInt16LE(4, 20);
acl.writeUInt16LE(4, 22);

const everything: RawEntry[] = [
  { name: "./", type: "5", mode: 0o755, mtime: 5 },
  { name: "etc/passwd", data: "root", mode: 0o600, uid: 100_000, gid: 4_000_000_000 },
  {
    name: "bin/su",
    data: "s".repeat(70_000),
    mode: 0o4755,
    pax: [["SCHILY.xattr.security.capability", "c".repeat(20)]],
  },
  { name: "bin/su2", type: "1", link: "bin/su" },
  { name: "tmp", type: "5", mode: 0o1777, pax: [["mtime", "1700000000.999999999"]] },
  { name: "old", data: "o", mtime: -1000 },
  { name: "late", data: "l", mtime: 5_000_000_000 },
  { name: "short", type: "2", link: "t".repeat(59) },
  { name: "long", type: "2", link: "t".repeat(60) },
  { name: "null", type: "3", major: 1, minor: 3 },
  { name: "wide", type: "4", major: 300, minor: 70_000 },
  { name: "pipe", type: "6" },
  { name: "empty" },
  { name: "acl", data: "a", pax: [["SCHILY.xattr.system.posix_acl_access", acl]] },
  {
    name: "many",
    data: "m",
    pax: Array.from(
      { length: 30 },
      (_, i) => [`SCHILY.xattr.user.${"n".repeat(i + 1)}`, "v".repeat(i)] as const,
    ),
  },
  {
    name: "sparse",
    data: "xyz",
    pax: [
      ["GNU.sparse.size", "9000000"],
      ["GNU.sparse.map", "5,1,4000000,1,8999999,1"],
    ],
  },
  ...Array.from({ length: 700 }, (_, i) => ({
    name: "x",
    data: `${i}`,
    pax: [["path", `crowd/${"n".repeat(i % 200)}${i}`] as const],
  })),
];

/** Directories have other sizes and ext4 keeps no link count over 65,000: compare what must be. */
function comparable(listing: TreeListing): Record<string, ListedFile> {
  return Object.fromEntries(listing.files);
}

describe("an ext4 image", () => {
  test("holds the tree that the EROFS image holds, file by file", async () => {
    await inTempDir(async (dir) => {
      const layers = [await storeLayer(dir, rawTar(...everything))];
      await withOp("test", {}, (op) =>
        buildErofs(op, layers, join(dir, "erofs"), { seedDigest: "sha256:a" }),
      );
      await build(layers, join(dir, "ext4"), { sizeMib: 40 });
      const wanted = readErofs(join(dir, "erofs"));
      const found = readExt4(join(dir, "ext4"));
      expect(comparable(found)).toEqual(comparable(wanted));
      expect(found.sameFile).toEqual([["bin/su", "bin/su2"]]);
      expect(found.sameFile).toEqual(wanted.sameFile);
    });
  });
  test("is the same bytes for the same layers, sparse, and leaves no spool behind", async () => {
    await inTempDir(async (dir) => {
      const layers = [await storeLayer(dir, rawTar({ name: "a", data: "x".repeat(100_000) }))];
      const [one, two] = [join(dir, "1"), join(dir, "2")];
      await build(layers, one, { sizeMib: 20 });
      await build(layers, two, { sizeMib: 20 });
      expect((await readFile(one)).equals(await readFile(two))).toBe(true);
      expect((await stat(one)).size).toBe(20 * MiB);
      expect((await stat(one)).blocks * 512).toBeLessThan(MiB);
      await expect(stat(`${one}.spool`)).rejects.toMatchObject({ code: "ENOENT" });
    });
  });
  test("grows to whole GiB unless it is pinned", async () => {
    await inTempDir(async (dir) => {
      const layers = [await storeLayer(dir, rawTar({ name: "a", data: "x".repeat(2 * MiB) }))];
      expect((await build(layers, join(dir, "auto"))).sizeBytes).toBe(1024 * MiB);
      const pinned = await build(layers, join(dir, "pinned"), { sizeMib: 16 });
      expect(pinned.sizeBytes).toBe(16 * MiB);
      expect(pinned.freeBytes).toBeGreaterThan(12 * MiB);
    });
  });
  test("that is pinned too small says what it needs, and that much is enough", async () => {
    await inTempDir(async (dir) => {
      const layers = [await storeLayer(dir, rawTar({ name: "a", data: "x".repeat(9 * MiB) }))];
      const error = await build(layers, join(dir, "out"), { sizeMib: 4 }).catch((e) => e);
      expect(error).toMatchObject({
        code: "invalid_argument",
        message: expect.stringMatching(
          /^The image does not fit into 4 MiB, it needs at least \d+ MiB as ext4$/,
        ),
      });
      const { neededMib } = error.details as { neededMib: number };
      expect(neededMib).toBeLessThan(14);
      await build(layers, join(dir, "out"), { sizeMib: neededMib });
    });
  });
  test("refuses attributes beyond a block and names the file", async () => {
    await inTempDir(async (dir) => {
      const pax: RawEntry["pax"] = [["SCHILY.xattr.user.big", "b".repeat(5000)]];
      const layers = [await storeLayer(dir, rawTar({ name: "d/f", data: "x", pax }))];
      await expect(build(layers, join(dir, "out"))).rejects.toMatchObject({
        code: "image_unsupported",
        message: 'File "d/f" has more extended attributes than fit into one ext4 block',
      });
    });
  });
  test("spans a file over many groups of blocks", async () => {
    await inTempDir(async (dir) => {
      // Stored in full, but for the reader's sake mostly holes in the image file.
      const pax: RawEntry["pax"] = [
        ["GNU.sparse.size", `${5 * 2 ** 30}`],
        ["GNU.sparse.map", `0,1,${2 ** 32},1`],
      ];
      const layers = [await storeLayer(dir, rawTar({ name: "big", data: "ab", pax }))];
      const out = join(dir, "out");
      await build(layers, out, { sizeMib: 64 });
      await using handle = await open(out);
      expect((await handle.stat()).blocks * 512).toBeLessThan(2 * MiB);
    });
  });
});
