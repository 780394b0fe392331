import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { root } from "./repository.ts";

test("generated files say what their sources say", () => {
  const run = () =>
    execFileSync(process.execPath, ["scripts/generate.mjs", "--check"], {
      cwd: root,
      stdio: "pipe",
      encoding: "utf8",
    });
  expect(run).not.toThrow();
});
