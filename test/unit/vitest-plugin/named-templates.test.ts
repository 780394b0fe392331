import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { namedTemplates } from "../../../vitest-plugin/named-templates.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-named-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function named(files: Record<string, string>, byDefault: string | null = "first") {
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  const found = await namedTemplates([join(dir, "a.test.ts")], ["first", "pg"], byDefault);
  return [...found].sort();
}

test("a file that does not know the plugin needs nothing", async () => {
  expect(await named({ "a.test.ts": "test('adds', () => {})" })).toEqual([]);
});

test("a file that imports the plugin may need the default, and what it names", async () => {
  const plugin = 'import { test } from "microagent-ci/vitest/test";';
  expect(await named({ "a.test.ts": plugin })).toEqual(["first"]);
  expect(await named({ "a.test.ts": `${plugin} vmTest({ template: 'pg' })` })).toEqual([
    "first",
    "pg",
  ]);
});

test("what is named in a file that is imported counts, in a circle too", async () => {
  const files = {
    "a.test.ts": 'import { pg } from "./pg.js";',
    "pg.ts": 'import "./a.test.ts"; export const pg = vmTest({ template: "pg" });',
  };
  expect(await named(files, null)).toEqual(["pg"]);
});
