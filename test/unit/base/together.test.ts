import { expect, test } from "vitest";
import { together } from "../../../src/base/together.ts";

test("gives every value in order", async () => {
  const both = await together(Promise.resolve(1), Promise.resolve("two"));
  expect(both).toEqual([1, "two"]);
});

test("a failure waits for the others, and is the first of the list", async () => {
  const done: string[] = [];
  const late = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    done.push("late");
  });
  const failing = Promise.reject(new Error("first"));
  await expect(together(failing, late, Promise.reject(new Error("second")))).rejects.toThrow(
    "first",
  );
  expect(done).toEqual(["late"]);
});
