import { expect, test } from "vitest";
import { templateLine } from "../../../../src/cli/render/template-line.ts";
import type { RunTemplate } from "../../../../src/index.ts";

const key = "3f1c9a7b2d4e".padEnd(64, "0");
const line = (template: RunTemplate | null) =>
  templateLine({ template, secrets: null, timingsMs: {} });

test.each<[RunTemplate, string]>([
  [
    { how: "hit", key, reason: "It was built before" },
    "template: started after setup from 3f1c9a7b2d4e",
  ],
  [
    { how: "built", key, reason: "There was none" },
    "template: built 3f1c9a7b2d4e, a run of the unchanged file starts after setup",
  ],
  [
    { how: "rebuilt", key, reason: "Its memory is truncated" },
    "template: built 3f1c9a7b2d4e anew (Its memory is truncated)",
  ],
  [{ how: "skipped", key, reason: "The disk is full" }, "template: none (The disk is full)"],
])("%o is told", (template, text) => {
  expect(line(template)).toBe(text);
});

test("a run that never looked for one says nothing", () => {
  expect(line(null)).toBeNull();
  expect(line({ how: "skipped", key: null, reason: "There is no setup to be spared" })).toBeNull();
});
