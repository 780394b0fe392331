import { test } from "vitest";

test("is interrupted", { timeout: 600_000 }, async ({ signal }) => {
  console.log("BEGUN");
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  console.log("ABORTED");
});

test("does not begin", () => {
  console.log("BEGUN TOO");
});
