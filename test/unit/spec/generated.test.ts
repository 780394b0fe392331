import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { specFiles } from "../../../src/spec/generate/spec-files.ts";

const root = join(import.meta.dirname, "../../..");

test.each(Object.entries(specFiles()))(
  "%s is what the schema says; npm run generate writes it",
  (path, content) => {
    expect(readFileSync(join(root, path), "utf8")).toBe(content);
  },
);
