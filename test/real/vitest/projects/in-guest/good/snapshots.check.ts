import { expect, test } from "vitest";

test("a file of snapshots", () => {
  expect({ kept: "beside the tests" }).toMatchSnapshot();
});

test("a snapshot in the source", () => {
  expect({ kept: "in the source" }).toMatchInlineSnapshot();
});

test("a snapshot in a file of its own", async () => {
  await expect("kept alone\n").toMatchFileSnapshot("alone.txt");
});
