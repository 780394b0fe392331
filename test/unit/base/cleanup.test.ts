import { expect, test } from "vitest";
import { CleanupStack } from "../../../src/base/cleanup.ts";

test("steps run in reverse order, once, and a failing one stops nobody", async () => {
  const order: string[] = [];
  const failures: unknown[] = [];
  const stack = new CleanupStack((error) => failures.push(error));
  stack.defer(() => void order.push("first"));
  stack.defer(() => {
    throw new Error("broken");
  });
  stack.defer(async () => void order.push("third"));
  await stack.run();
  await stack.run();
  expect(order).toEqual(["third", "first"]);
  expect(failures).toHaveLength(1);
});

test("what was released is undone by its new owner only", async () => {
  const order: string[] = [];
  let moved: CleanupStack;
  {
    await using stack = new CleanupStack();
    stack.defer(() => void order.push("undone"));
    moved = stack.release();
  }
  expect(order).toEqual([]);
  await moved.run();
  expect(order).toEqual(["undone"]);
});
