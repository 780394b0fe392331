import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withOp } from "../../../../src/base/op.ts";
import { buildErofs, type ErofsSummary } from "../../../../src/image/erofs/build.ts";
import type { LayerBlob } from "../../../../src/image/layer.ts";
import { inTempDir, listingOf, paths } from "../../../fixtures/build-listing.ts";
import { storeLayer } from "../../../fixtures/layer-blob.ts";
import { type RawEntry, rawTar } from "../../../fixtures/raw-tar.ts";
import { readErofs } from "../../../fixtures/read-erofs.ts";
import { sha256 } from "../../../fixtures/tree-listing.ts";

const build = (
  layers: readonly LayerBlob[],
  out: string,
  seed = "sha256:a",
): Promise<ErofsSummary> =>
  withOp("test", {}, (op) => buildErofs(op, layers, out, { seedDigest: seed }));

const sparse = (name: string, size: number, extents: [number, string][]): RawEntry => ({
  name,
  data: extents.map(([, data]) => data).join(""),
  pax: [
    ["GNU.sparse.size", `${size}`],
    ["GNU.sparse.map", extents.map(([offset, data]) => `${offset},${data.length}`).join(",")],
  ],
});

function sparseBytes(size: number, extents: [number, string][]): Buffer {
  const bytes = Buffer.alloc(size);
  for (const [offset, data] of extents) bytes.write(data, offset, "latin1");
  return bytes;
}

describe("an EROFS image", () => {
  test("is the same bytes for the same layers, its UUID follows the seed", async () => {
    await inTempDir(async (dir) => {
      const layers = [
        await storeLayer(
          dir,
          rawTar({ name: "a", data: "x".repeat(5000) }, { name: "b/c", data: "y" }),
        ),
        await storeLayer(
          dir,
          rawTar({ name: "a", data: "z" }, { name: "d", type: "2", link: "a" }),
        ),
      ];
      const [one, two, other] = [join(dir, "1"), join(dir, "2"), join(dir, "3")];
      const summary = await build(layers, one);
      await build(layers, two);
      await build(layers, other, "sha256:b");
      const bytes = await readFile(one);
      expect(summary).toEqual({ sizeBytes: bytes.length, entries: 5, dataBytes: 3 * 4096 });
      expect(bytes.equals(await readFile(two))).toBe(true);
      const different = await readFile(other);
      expect(bytes.equals(different)).toBe(false);
      // Checksum and UUID of the superblock and nothing else.
      different.set(bytes.subarray(1024, 1024 + 128), 1024);
      expect(bytes.equals(different)).toBe(true);
    });
  });
  test("of no layers is an empty root", async () => {
    const tree = await listingOf();
    expect([...tree.files.keys()]).toEqual([""]);
    expect(tree.files.get("")).toMatchObject({ mode: 0o040755, links: 2 });
  });
  test("holds large directories, names of all lengths, in byte order around the dots", async () => {
    const names = Array.from({ length: 3000 }, (_, i) => `${"n".repeat(i % 250)}${i}`);
    const odd = ["-first", "!", "..a", ".a", "...", "~"];
    const tree = await listingOf(
      [...names, ...odd].map((name) => ({ name: "x", data: name, pax: [["path", name]] })),
    );
    // Compared as text: a list of 3,000 names makes no readable message.
    expect(paths(tree).join() === [...names, ...odd].sort().join()).toBe(true);
  });
  test("holds links of every length", async () => {
    const lengths = [1, 59, 60, 4000, 4031, 4032, 4033, 4095];
    const entries = lengths.map(
      (length): RawEntry => ({
        name: `l${length}`,
        type: "2",
        pax: [["linkpath", "t".repeat(length)]],
      }),
    );
    const tree = await listingOf(entries);
    for (const length of lengths) expect(tree.files.get(`l${length}`)?.target).toHaveLength(length);
  });
  test("holds many and large attributes, behind directories too", async () => {
    const pax: RawEntry["pax"] = Array.from({ length: 40 }, (_, i) => [
      `SCHILY.xattr.user.${"k".repeat(i + 1)}`,
      "v".repeat(1 + i * 37),
    ]);
    const tree = await listingOf([
      { name: "d", type: "5", pax },
      { name: "d/x", data: "x", pax: [["SCHILY.xattr.user.big", "b".repeat(60_000)]] },
      { name: "l", type: "2", link: "t".repeat(90), pax: [["SCHILY.xattr.trusted.t", "1"]] },
    ]);
    expect(tree.files.get("d")?.xattrs).toHaveLength(40);
    expect(tree.files.get("d/x")?.xattrs[0]?.[1]).toBe("62".repeat(60_000));
    expect(tree.files.get("l")?.target).toBe("t".repeat(90));
  });
  test.each<[string, number, [number, string][]]>([
    [
      "small holes",
      20_000,
      [
        [4096, "a".repeat(4096)],
        [12_288, "b"],
      ],
    ],
    [
      "data across blocks",
      30_000,
      [
        [100, "c".repeat(9000)],
        [29_999, "e"],
      ],
    ],
    ["nothing but a hole", 70_000, []],
    ["a hole at the end", 50_000, [[0, "s"]]],
    [
      "many extents in one block",
      9000,
      [
        [1, "q"],
        [3, "w"],
        [5, "e"],
        [8000, "r"],
      ],
    ],
  ])("keeps sparse files: %s", async (_, size, extents) => {
    const entries = [
      { name: "before", data: "x".repeat(100) },
      sparse("s", size, extents),
      { name: "after", data: "y" },
    ];
    const tree = await listingOf(entries);
    expect(tree.files.get("s")).toMatchObject({ size, sha256: sha256(sparseBytes(size, extents)) });
    expect(tree.files.get("after")?.sha256).toBe(sha256(Buffer.from("y")));
  });
  test("keeps a sparse file of 6 GiB small, in larger chunks", async () => {
    await inTempDir(async (dir) => {
      const size = 6 * 2 ** 30;
      const layer = await storeLayer(dir, rawTar(sparse("big", size, [[5_000_000_000, "here"]])));
      const out = join(dir, "out");
      const { sizeBytes } = await build([layer], out);
      expect(sizeBytes).toBeLessThan(4 * 2 ** 20);
      expect((await stat(out)).blocks * 512).toBeLessThan(4 * 2 ** 20);
    });
  });
  test("reuses the blocks of replaced files and leaves none of their bytes behind a new end", async () => {
    await inTempDir(async (dir) => {
      const layers: LayerBlob[] = [];
      for (let i = 0; i < 12; i++) {
        const entries = [`a${i % 3}`, "b"].map((name) => ({
          name,
          data: `${i}`.repeat(50_000 + i),
        }));
        layers.push(await storeLayer(dir, rawTar(...entries, { name: ".wh.b" })));
      }
      layers.push(
        await storeLayer(dir, rawTar({ name: "b", data: "tiny" }, { name: "a0", data: "" })),
      );
      const out = join(dir, "out");
      const { dataBytes } = await build(layers, out);
      expect(dataBytes).toBeLessThan(8 * 110_000);
      const tree = readErofs(out);
      expect(tree.files.get("b")?.sha256).toBe(sha256(Buffer.from("tiny")));
      const bytes = await readFile(out);
      const end = bytes.indexOf("tiny") + 4;
      expect(bytes.subarray(end, end + 4092).equals(Buffer.alloc(4092))).toBe(true);
      expect(tree.files.get("a1")?.sha256).toBe(sha256(Buffer.from("10".repeat(50_010))));
    });
  });
  test("that cannot be written for want of space says so", async () => {
    await inTempDir(async (dir) => {
      const layer = await storeLayer(dir, rawTar({ name: "a", data: "x".repeat(3 << 20) }));
      await expect(build([layer], "/dev/full")).rejects.toMatchObject({ code: "no_space" });
    });
  });
});

describe("bombs", () => {
  test("in sparse clothes are counted by the room they take", async () => {
    const size = 2 ** 43;
    const extents = Array.from({ length: 40_000 }, (_, i): [number, string] => [i * 2 ** 27, "x"]);
    await expect(listingOf([sparse("bomb", size, extents)])).rejects.toMatchObject({
      code: "image_hostile",
      message: expect.stringContaining("brings the image to more than"),
    });
  });
});
