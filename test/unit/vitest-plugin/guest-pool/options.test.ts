import { expect, test } from "vitest";
import { resolvePoolOptions } from "../../../../vitest-plugin/guest-pool/options.ts";

test("there is a machine without options", () => {
  const { machine, node, fileTimeoutMs } = resolvePoolOptions({});
  expect(machine).toEqual({ image: "mmdebstrap:bookworm", memory: 512 });
  expect([node, fileTimeoutMs]).toEqual([null, 600_000]);
});

test("an image alone is a machine, and parts keep the others' defaults", () => {
  expect(resolvePoolOptions({ template: "debian:12" }).machine).toEqual({
    image: "debian:12",
    memory: 512,
  });
  expect(resolvePoolOptions({ template: { memory: 1024 } }).machine).toEqual({
    image: "mmdebstrap:bookworm",
    memory: 1024,
  });
});

test.each([
  [{ nod: "/x" }, /microvmPool\(\).*nod/],
  [{ node: "node" }, /microvmPool\(\)\.node/],
  [{ fileTimeout: -1 }, /microvmPool\(\)\.fileTimeout/],
  [{ template: { memory: "512" } }, /microvmPool\(\)\.template\.memory/],
  [{ budget: { machines: 0 } }, /microvmPool\(\)\.budget\.machines/],
])("%j is refused with its place", (options, message) => {
  expect(() => resolvePoolOptions(options as never)).toThrow(message);
});
