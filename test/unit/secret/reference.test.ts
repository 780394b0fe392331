import { expect, test } from "vitest";
import { isRefProblem, parseSecretRef } from "../../../src/secret/reference.ts";

test("every scheme is read into its parts", () => {
  expect(parseSecretRef("env:API_KEY")).toEqual({ scheme: "env", variable: "API_KEY" });
  expect(parseSecretRef("file:./a b:c#d")).toEqual({ scheme: "file", path: "./a b:c#d" });
  expect(parseSecretRef("dotenv:/etc/a#b.env#KEY")).toEqual({
    scheme: "dotenv",
    path: "/etc/a#b.env",
    key: "KEY",
  });
  expect(parseSecretRef("vault:team/kv/data/app/db#pass word")).toMatchObject({
    scheme: "vault",
    path: "team/kv/data/app/db",
    field: "pass word",
  });
  expect(parseSecretRef("vault:secret/data/app")).toMatchObject({ field: null });
  expect(parseSecretRef("helper:op://vault/item/field")).toEqual({
    scheme: "helper",
    argument: "op://vault/item/field",
  });
});

const literals = [
  "sk-live-0123456789",
  "sk:live:0123456789",
  "ENV:sk-live",
  "env:sk-live-0123",
  "env:",
  "file:",
  "helper:",
  "dotenv:sk-live",
  "dotenv:#sk",
  "vault:sk-live",
  "vault:secret/app#sk-live",
  "vault:data/sk-live#f",
  "vault:secret/data/../../sys#sk-live",
  "vault:secret/data/a?sk-live#f",
  "vault:secret/data/sk-live#",
  "file:sk-live\u0000",
  "helper:sk-live\nsk",
  `file:sk-live${"x".repeat(5000)}`,
  "",
];

test.each(literals)("%j is no reference, and nothing of it is repeated", (text) => {
  const parsed = parseSecretRef(text);
  expect(isRefProblem(parsed)).toBe(true);
  expect(JSON.stringify(parsed)).not.toMatch(/sk-live|0123/);
});
