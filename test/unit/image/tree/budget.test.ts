import { expect, test } from "vitest";
import { limits } from "../../../../src/base/limits.ts";
import type { LayerBlob } from "../../../../src/image/layer.ts";
import { UnpackBudget } from "../../../../src/image/tree/budget.ts";

const layer: LayerBlob = {
  digest: "sha256:bomb",
  diffId: "sha256:x",
  mediaType: "x",
  compression: "gzip",
  size: 2_000_000,
  path: "/nowhere",
};
const hostile = (message: string) => expect.objectContaining({ code: "image_hostile", message });

test("entries are counted over all layers", () => {
  const budget = new UnpackBudget();
  for (let i = 0; i < limits.image.entriesMax; i++) budget.takeEntry(layer);
  expect(() => budget.takeEntry(layer)).toThrow(
    hostile('Layer "sha256:bomb" brings the image to more than 4000000 entries when unpacked'),
  );
});

test("bytes are counted over all layers", () => {
  const budget = new UnpackBudget();
  budget.takeBytes(layer, limits.image.unpackedBytesMax);
  expect(() => budget.takeBytes(layer, 1)).toThrow(/brings the image to more than \d+ bytes/);
});

test("a layer may expand a thousandfold, but small ones as they like", () => {
  const budget = new UnpackBudget();
  budget.checkExpansion({ ...layer, size: 1000 }, 2 ** 30);
  budget.checkExpansion(layer, 2_000_000_000);
  expect(() => budget.checkExpansion(layer, 2_000_000_001)).toThrow(
    hostile('Layer "sha256:bomb" grows to more than 1000 times its 2000000 bytes when unpacked'),
  );
});
