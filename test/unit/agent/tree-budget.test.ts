import { stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TreeBudget, type TreeManifest, writeHostTree } from "../../../src/agent/host-tree.ts";
import { type TreeItem, treeEntry } from "../../../src/agent/tree.ts";
import type { TreeCapacity } from "../../../src/agent/tree-budget.ts";
import { withOp } from "../../../src/base/op.ts";
import { itemsOf, withTempDir } from "./guests.ts";

const GiB = 1024 ** 3;

function link(path: string, target = "x"): TreeItem {
  return { kind: "entry", entry: treeEntry({ path, type: "symlink", link: target }) };
}

function* linksOf(count: number): Iterable<TreeItem> {
  for (let at = 0; at < count; at++) yield link(`${"n".repeat(240)}${at}`);
}

function sparse(path: string, ...holes: number[]): TreeItem[] {
  return [
    { kind: "entry", entry: treeEntry({ path, type: "file" }) },
    ...holes.map((bytes) => ({ kind: "hole" as const, bytes })),
    { kind: "entry-end" },
  ];
}

async function writeAll(
  dir: string,
  capacity: Partial<TreeCapacity>,
  ...trees: (readonly TreeItem[])[]
): Promise<TreeManifest[]> {
  const budget = new TreeBudget(capacity);
  const manifests: TreeManifest[] = [];
  await withOp("test", {}, async (op) => {
    for (const [at, items] of trees.entries()) {
      manifests.push(await writeHostTree(op, itemsOf(...items), join(dir, `${at}`), budget));
    }
  });
  return manifests;
}

test("left-out entries of all trees together are recorded up to a number, and all are counted", async () => {
  await withTempDir(async (dir) => {
    const links = [...linksOf(700)];
    const [first, second, third] = await writeAll(dir, {}, links, links, links);
    expect(first?.skipped.length).toBe(700);
    expect(second?.skipped.length).toBe(300);
    expect(third?.skipped.length).toBe(0);
    expect([first, second, third].map((each) => each?.skippedCount)).toEqual([700, 700, 700]);
  });
});

test("names and reasons in records are shortened", async () => {
  await withTempDir(async (dir) => {
    const [manifest] = await writeAll(dir, {}, [link(`${"d/".repeat(2000)}x`, "t".repeat(4000))]);
    const [record] = manifest?.skipped ?? [];
    expect(record?.path.length).toBeLessThan(310);
    expect(record?.reason.length).toBeLessThan(610);
  });
});

test("entries of every kind count, and what one tree took the next one cannot", async () => {
  await withTempDir(async (dir) => {
    const links = [...linksOf(6)];
    const [first, second] = await writeAll(dir, { entriesMax: 10 }, links, links);
    expect(first?.failure).toBeNull();
    expect(second?.failure).toMatchObject({ code: "output_refused" });
    expect(second?.skippedCount).toBe(4);
  });
});

test("names have a budget of their own, targets of links and texts of the guest among them", async () => {
  await withTempDir(async (dir) => {
    const capacity = { nameBytesMax: 1_000 };
    const skip: TreeItem = { kind: "skip", path: "a", code: "x", message: "m".repeat(1_000) };
    const [byName] = await writeAll(join(dir, "a"), capacity, [...linksOf(6)]);
    const [byTarget] = await writeAll(join(dir, "b"), capacity, [link("l", "t".repeat(1_000))]);
    const [byText] = await writeAll(join(dir, "c"), capacity, [skip]);
    for (const manifest of [byName, byTarget, byText]) {
      expect(manifest?.failure).toMatchObject({ code: "output_refused" });
    }
  });
});

test("a hole arrives as one, and beyond a bound it is not hashed", async () => {
  await withTempDir(async (dir) => {
    const [small, large] = await writeAll(
      dir,
      { hashedHoleBytesMax: 2 ** 20 },
      sparse("small", 2 ** 20),
      [...sparse("large", 4 * GiB, 5 * GiB), ...sparse("data")],
    );
    // The digest of a MiB of zeros.
    const zeros = "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58";
    expect(small?.files[0]?.sha256).toBe(zeros);
    const [hole, data] = large?.files ?? [];
    expect(hole).toMatchObject({ sizeBytes: 9 * GiB, sha256: null });
    expect(data?.sha256).toMatch(/^[0-9a-f]{64}$/);
    const { size, blocks } = await stat(join(dir, "1/large"));
    expect(size).toBe(9 * GiB);
    expect(blocks * 512).toBeLessThan(2 ** 20);
  });
});

test("many directories in a deep one take no longer than as many in a flat one", async () => {
  await withTempDir(async (dir) => {
    const parent = "d/".repeat(1_000);
    const items: TreeItem[] = [];
    for (let at = 0; at < 2_000; at++) {
      items.push({ kind: "entry", entry: treeEntry({ path: `${parent}${at}`, type: "dir" }) });
    }
    const [manifest] = await writeAll(dir, {}, items);
    expect(manifest?.directories).toBe(2_000);
  });
}, 20_000);
