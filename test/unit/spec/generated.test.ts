import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { editorSchema } from "../../../src/spec/generate/editor-schema.ts";
import { specFiles } from "../../../src/spec/generate/spec-files.ts";

const root = join(import.meta.dirname, "../../..");

test.each(Object.entries(specFiles()))(
  "%s is what the schema says; npm run generate writes it",
  (path, content) => {
    expect(readFileSync(join(root, path), "utf8")).toBe(content);
  },
);

const documents = join(import.meta.dirname, "documents");
const editor = z.fromJSONSchema(editorSchema());

test.each(readdirSync(documents))(
  "the editor schema takes %s, and refuses it with a typo",
  (name) => {
    const value: unknown = parse(readFileSync(join(documents, name), "utf8"));
    expect(editor.safeParse(value).error?.issues ?? []).toEqual([]);
    expect(editor.safeParse({ ...(value as object), profle: "tiny" }).success).toBe(false);
  },
);

test.each([
  { resources: { memoryMiB: 1 } },
  { resources: { memoryMiB: 99.5 } },
  { agent: { egress: "broker" } },
  { hostname: "a.b" },
  { setup: [{ run: "a", file: "b" }] },
  { setup: [{}] },
  { outputs: [{ name: "a" }] },
  { env: { A: ["b"] } },
])("the editor schema refuses %j", (value) => {
  expect(editor.safeParse(value).success).toBe(false);
});
