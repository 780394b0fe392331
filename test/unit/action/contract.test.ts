import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { inputDeclarations } from "../../../action/inputs.ts";
import { outputDeclarations } from "../../../action/outputs.ts";
import { setupInputs, setupOutputs } from "../../../action/setup/inputs.ts";
import { entries } from "../../../scripts/build-action.mjs";

const root = join(import.meta.dirname, "..", "..", "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

interface Metadata {
  readonly inputs: Readonly<Record<string, { description: string; default: string }>>;
  readonly outputs: Readonly<Record<string, { description: string }>>;
  readonly runs: Readonly<Record<string, string>>;
  readonly branding: Readonly<Record<string, string>>;
}

const metadata = (path: string): Metadata => parse(read(path));
const sources = readdirSync(join(root, "action"), { recursive: true, encoding: "utf8" })
  .filter((path) => /^(?!dist|guest|kernel)[^.]+\.ts$/.test(path))
  .map((path) => read(join("action", path)))
  .join("\n");

test.each([
  ["action.yml", inputDeclarations, outputDeclarations],
  ["action/setup/action.yml", setupInputs, setupOutputs],
])("%s declares what the code knows", (path, inputs, outputs) => {
  const declared = metadata(path);
  expect(Object.keys(declared.inputs)).toEqual(inputs.map(({ name }) => name));
  expect(Object.keys(declared.outputs)).toEqual(outputs.map(({ name }) => name));
  for (const { name, default: value } of inputs) {
    expect(name).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(declared.inputs[name]?.default).toBe(value);
  }
});

test.each([
  ["action.yml", "."],
  ["action/setup/action.yml", "action/setup"],
])("%s runs on the runner's Node what the build makes", (path, at) => {
  const { runs, branding } = metadata(path);
  const { using, ...scripts } = runs;
  expect(using).toBe("node24");
  expect(Object.keys(scripts)).toEqual(["main", "post"]);
  const built = Object.keys(entries).map((name) => `action/dist/${name}.js`);
  for (const script of Object.values(scripts)) expect(built).toContain(join(at, script));
  expect(branding).toEqual({ icon: "box", color: "blue" });
});

test("no input is read and no output is set beside the declared ones", () => {
  const inputs = [...sources.matchAll(/get(?:Boolean|Multiline)?Input\("([^"]+)"/g)];
  for (const [, name] of inputs) expect(setupInputs.map((each) => each.name)).toContain(name);
  const known = [...outputDeclarations, ...setupOutputs].map(({ name }) => String(name));
  const outputs = [...sources.matchAll(/setOutput\("([^"]+)"/g)];
  expect(outputs.length).toBeGreaterThan(0);
  for (const [, name] of outputs) expect(known).toContain(name);
});

test("the reference lists every input and output with its meaning", () => {
  const page = read("docs/github-action-reference.md");
  for (const { name, meaning } of [...inputDeclarations, ...outputDeclarations]) {
    expect(page).toContain(`| \`${name}\` |`);
    expect(page).toContain(meaning.replaceAll("|", "\\|"));
  }
});

test("the action uses the engine's door only", () => {
  const imports = [...sources.matchAll(/from "([^"]+)"/g)].map(([, specifier = ""]) => specifier);
  const outside = imports.filter((specifier) => !/^\.\.?\/[a-z-]+\.ts$/.test(specifier));
  const allowed = /^(node:[a-z/]+|@actions\/[a-z-]+|(\.\.\/){1,2}src\/index\.ts)$/;
  expect(outside.filter((specifier) => !allowed.test(specifier))).toEqual([]);
});
