import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { importedPackages } from "../../../../vitest-plugin/guest-pool/module-graph.ts";

let root: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "microagent-modules-")));
});
afterEach(async () => await rm(root, { recursive: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
}

const reached = async (...entries: readonly string[]) =>
  (await importedPackages(entries.map((entry) => join(root, entry))))
    .map((path) => relative(join(root, "node_modules"), path))
    .sort();

const manifest = (fields: Readonly<Record<string, unknown>>) => JSON.stringify(fields);

test("one export of a package needs what that export imports, and nothing else of it", async () => {
  await write({
    "main.js": 'import "tool/runner";',
    "node_modules/tool/package.json": manifest({
      exports: { ".": "./all.js", "./runner": { import: "./runner.js", require: "./no.cjs" } },
      dependencies: { bundler: "*", parser: "*" },
    }),
    "node_modules/tool/all.js": 'import "parser";',
    "node_modules/tool/no.cjs": 'require("parser");',
    "node_modules/tool/runner.js":
      'import { x } from "bundler/experimental/runtime";\nexport { x };',
    "node_modules/bundler/package.json": manifest({
      exports: { ".": "./index.mjs", "./experimental/runtime": "./runtime.mjs" },
      type: "module",
    }),
    "node_modules/bundler/index.mjs": 'import "@bundler/native";',
    "node_modules/bundler/runtime.mjs": "export const x = 1;",
    "node_modules/@bundler/native/package.json": manifest({ main: "x.node" }),
    "node_modules/@bundler/native/x.node": "",
    "node_modules/parser/package.json": manifest({}),
    "node_modules/parser/index.js": "",
  });
  expect(await reached("main.js")).toEqual(["bundler", "tool"]);
  // The same package by its other export.
  await write({ "other.js": 'import "bundler"' });
  expect(await reached("other.js")).toEqual(["@bundler/native", "bundler"]);
});

test.each([
  ["a static import", 'import "dep";'],
  ["a re-export", 'export * from "dep";'],
  ["an import on demand", 'await import("dep");'],
  [
    "require in a module",
    'import { createRequire } from "node:module"; const require = createRequire(import.meta.url); require("dep");',
  ],
  ["require.resolve", 'require.resolve("dep/package.json");'],
  ["require with a template", "module.exports = require(`dep`);"],
  ["a chunk of its own", 'import "./chunk.js";'],
  ["a subpath import", 'import "#own";'],
])("%s is followed", async (_, text) => {
  await write({
    "node_modules/main/package.json": manifest({ imports: { "#own": "./chunk.js" } }),
    "node_modules/main/index.js": text,
    "node_modules/main/chunk.js": 'import "dep";',
    "node_modules/dep/package.json": manifest({}),
    "node_modules/dep/index.js": "",
  });
  expect(await reached("node_modules/main/index.js")).toEqual(["dep"]);
});

test("what is not installed, and Node's own modules, are left out; circles end", async () => {
  await write({
    "a.js": 'import "node:fs"; import "fs"; import "missing"; import "./b.js"; require("gone");',
    "b.js": 'import "./a.js"; import "data:text/javascript,0"; import("./not-there.js");',
  });
  expect(await reached("a.js", "b.js")).toEqual([]);
});

test("a file that is no JavaScript ends the search there", async () => {
  await write({
    "a.js": 'import "./broken.js"; import data from "./data.json" with { type: "json" };',
    "broken.js": "import { from (((",
    "data.json": '{ "require": "require(\\"dep\\")" }',
  });
  expect(await reached("a.js")).toEqual([]);
});

test("a package in a store is found by its link, and its imports beside it", async () => {
  await write({
    "main.js": 'import "a";',
    "store/a@1/node_modules/a/package.json": manifest({}),
    "store/a@1/node_modules/a/index.js": 'require("b");',
    "store/b@1/node_modules/b/package.json": manifest({}),
    "store/b@1/node_modules/b/index.js": "",
    "node_modules/.keep": "",
  });
  await symlink(join(root, "store/b@1/node_modules/b"), join(root, "store/a@1/node_modules/b"));
  await symlink(join(root, "store/a@1/node_modules/a"), join(root, "node_modules/a"));
  expect(
    (await importedPackages([join(root, "main.js")])).map((path) => relative(root, path)),
  ).toEqual(["node_modules/a", "store/a@1/node_modules/b"]);
});
