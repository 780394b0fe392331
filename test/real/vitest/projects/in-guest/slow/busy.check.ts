import { test } from "vitest";

test("hears no interrupt", () => {
  // Goes out at once, which nothing else will.
  process.stdout.write("BEGUN BUSY\n");
  for (;;);
});
