import { test } from "vitest";

test("ends the process", () => {
  process.abort();
});
