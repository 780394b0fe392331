import { test } from "vitest";

test("never comes back", () => {
  for (;;);
});
