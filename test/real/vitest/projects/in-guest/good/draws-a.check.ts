import { expect, test } from "vitest";
import { draws } from "../draws.ts";

test("draws and looks at the clock", async () => {
  const now = { date: Date.now(), performance: performance.timeOrigin + performance.now() };
  console.log(`DRAWN ${JSON.stringify({ draws: await draws(), now })}`);
  // Nothing else than randomness is another's.
  const values = Array.from({ length: 10_000 }, () => Math.random());
  expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(new Set(values).size).toBe(values.length);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
});
