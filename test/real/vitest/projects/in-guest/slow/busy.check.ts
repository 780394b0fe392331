import { test } from "vitest";

test("hears no interrupt", async () => {
  console.log("BEGUN BUSY");
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (;;);
});
