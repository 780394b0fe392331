import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isMicroagentError } from "../../../src/base/errors.ts";
import { withOp } from "../../../src/base/op.ts";
import { loadPolicy, parsePolicy } from "../../../src/spec/policy-file.ts";
import { refused } from "./spec-texts.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "policy-"));
});
afterAll(() => rm(dir, { recursive: true }));

test.each([
  ["allow: [a.example, .b.example:443]\npassthrough: [10.0.0.1]", "p.yaml"],
  ['{"allow": ["a.example", ".b.example:443"], "passthrough": ["10.0.0.1"]}', "p.json"],
])("YAML and JSON: %s", (text, name) => {
  expect(parsePolicy(text, name)).toEqual({
    allow: ["a.example", ".b.example:443"],
    passthrough: ["10.0.0.1"],
  });
});

test("either list may be left out", () => {
  expect(parsePolicy("allow: []", "p")).toEqual({ allow: [], passthrough: [] });
});

test.each([
  ["allow: [a.example]\ndeny: [b.example]", 'p:2:1: Unknown key "deny" in an egress policy'],
  ["allow: a.example", 'p:1:8: Field "allow" is "a.example": wanted a list of hosts'],
  [
    "allow:\n  - a.example\n  - '*.b.example'",
    'p:3:5: Field "allow[1]" is "*.b.example", which has a',
  ],
  ["passthrough: [7]", 'p:1:15: Field "passthrough[0]" is the number 7: wanted a host'],
  ["- a.example", "p:1:1: The egress policy is a list: wanted"],
  ["allow: []\nallow: []", "p:2:1: "],
  ["allow: [", "p:1:"],
  ["# nothing", "p:1:"],
])("%j is refused with its place", (text, message) => {
  const error = refused(() => parsePolicy(text, "p"));
  expect(error.code).toBe("spec_invalid");
  expect(error.message).toContain(message);
});

test.each<[string, string, string | null]>([
  ["missing.yaml", "does not exist", null],
  [".", "is no regular file", null],
  ["utf16.yaml", "is not a text in UTF-8", "\ufeff"],
])("a file %s %s", async (name, message, content) => {
  const path = join(dir, name);
  if (content !== null) await writeFile(path, content, "utf16le");
  const error = await withOp("test", {}, (op) => loadPolicy(op, path)).catch((e: unknown) => e);
  if (!isMicroagentError(error)) throw error;
  expect(error.code).toBe("invalid_argument");
  expect(error.message).toContain(message);
});
