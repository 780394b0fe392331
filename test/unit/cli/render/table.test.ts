import { expect, test } from "vitest";
import { tableText } from "../../../../src/cli/render/table.ts";

test("columns are as wide as their widest cell", () => {
  expect(
    tableText(
      ["A", "B"],
      [
        ["long", "x"],
        ["b", "y"],
      ],
    ),
  ).toBe("A     B\nlong  x\nb     y\n");
  expect(tableText(["A"], [])).toBe("A\n");
});

test("as many rows as a guest can make are a table too", () => {
  const rows = Array.from({ length: 300_000 }, (_, at) => [String(at), "x"]);
  expect(tableText(["N", "X"], rows).endsWith("299999  x\n")).toBe(true);
});
