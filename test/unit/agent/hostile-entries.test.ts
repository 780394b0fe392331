import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeHostTree } from "../../../src/agent/host-tree.ts";
import type { TreeItem } from "../../../src/agent/tree.ts";
import { parseTreeEntry } from "../../../src/agent/tree-entry.ts";
import { withOp } from "../../../src/base/op.ts";
import { goldenBytes } from "../../support/golden-bytes.ts";
import { itemsOf, withTempDir } from "./guests.ts";

/** Entries that the guest must refuse; what a guest sends, the host must not believe either. */
const vectors = goldenBytes("hostile-entries.json") as readonly {
  readonly name: string;
  readonly json: string;
}[];

function itemsFrom(json: string): TreeItem[] {
  let value: unknown = null;
  try {
    value = JSON.parse(json);
  } catch {
    // No JSON is no entry.
  }
  const entry = parseTreeEntry(value);
  if (entry === null) return [];
  return [{ kind: "entry", entry }, ...(entry.type === "file" ? [end] : [])];
}

const end: TreeItem = { kind: "entry-end" };

test.each(vectors)("$name leads to nothing on the host", async ({ name, json }) => {
  await withTempDir(async (dir) => {
    const dest = join(dir, "dest");
    const items = itemsFrom(json);
    const manifest = await withOp("test", {}, (op) => writeHostTree(op, itemsOf(...items), dest));
    expect(await readdir(dir)).toEqual(["dest"]);
    const made = await readdir(dest);
    // A bad owner or a link on a file is nothing to the host, which uses neither; a bad name is all it uses.
    if (!harmless.includes(name)) expect(made).toEqual([]);
    for (const each of made) expect((await lstat(join(dest, each))).isFile()).toBe(true);
    if (items.length > 0) expect(manifest.skipped.length + made.length).toBe(1);
  });
});

const harmless = ["owner 2^32-1", "a file with a link"];
