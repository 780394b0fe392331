import { readdir, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { sha256Of } from "../../../src/image/digest.ts";
import { verifyImages } from "../../../src/image/verify.ts";
import { tempStore } from "../../fixtures/image-store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("blobs that are not what their names say are removed, the others stay", async () => {
  await using temp = await tempStore();
  const { blobs } = temp.store;
  const [good, bad] = [sha256Of(bytes("good")), sha256Of(bytes("bad"))];
  await blobs.put(good, bytes("good"));
  await blobs.put(bad, bytes("bad"));
  await writeFile(blobs.path(bad), "bax");
  const found = await withOp("test", {}, (op) => verifyImages(op, temp.store));
  expect(found).toEqual({ checked: 2, removed: [bad] });
  expect(await readdir(blobs.dir)).toEqual([good.slice("sha256:".length)]);
});

test("a store that is not there yet has nothing to verify", async () => {
  await using temp = await tempStore();
  const found = await withOp("test", {}, (op) => verifyImages(op, temp.store));
  expect(found).toEqual({ checked: 0, removed: [] });
});
