import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { Journal } from "./src/journal.ts";

// A real disk that is really full: mounting one needs root, which this file is in its own machine.
beforeAll(() => {
  mkdirSync("/mnt/small", { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "none", "/mnt/small"]);
});

test("keeps whole lines on a disk that fills up", () => {
  const journal = new Journal("/mnt/small/journal");
  const line = "x".repeat(1_000);
  let kept = 0;
  while (journal.append(line)) kept++;
  expect(kept).toBeGreaterThan(10);
  expect(journal.lines()).toEqual(Array.from({ length: kept }, () => line));
});
