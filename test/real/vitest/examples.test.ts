import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { runVitestExample } from "../../fixtures/vitest-host.ts";

const exec = promisify(execFile);
const root = join(import.meta.dirname, "..", "..", "..");
const examples = ["first", "service", "two-machines", "postgres", "in-guest"];

test.each(examples)("vitest-%s runs as its README says", async (name) => {
  const readme = await readFile(join(root, "examples", `vitest-${name}`, "README.md"), "utf8");
  const line = /^npx vitest (run --root \S+)$/m.exec(readme)?.[1] ?? "";
  // The program that npx finds here.
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const words = [vitest, ...line.split(" ")];
  const { stdout } = await exec(process.execPath, words, { cwd: root, env: plainEnvironment() });
  expect(stdout).toMatch(/Tests\s+\d+ passed/);
});

describe("under Vitest 5", () => {
  test.each(["first", "two-machines", "in-guest"])("vitest-%s runs too", async (name) => {
    const { code, text } = await runVitestExample(5, `vitest-${name}`);
    expect([code, text]).toEqual([0, expect.stringMatching(/Tests\s+\d+ passed/)]);
  });
});

/** Without what tells a child that it is one of Vitest's workers. */
function plainEnvironment(): Record<string, string> {
  const env: Record<string, string> = { NO_COLOR: "1" };
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || /^(VITEST|TEST$|NODE_ENV$|FORCE_COLOR$)/.test(name)) continue;
    env[name] = value;
  }
  return env;
}
