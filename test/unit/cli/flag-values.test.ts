import { expect, test } from "vitest";
import { architectureFlag } from "../../../src/cli/flag-values.ts";
import { merge, refused } from "../spec/spec-texts.ts";

test.each([
  ["x86_64", "x86_64"],
  ["amd64", "x86_64"],
  ["aarch64", "aarch64"],
  ["arm64", "aarch64"],
])("--arch %s is %s, for a run and for the store", (word, arch) => {
  expect(architectureFlag(word, "x86_64")).toBe(arch);
  expect(merge({ arch: word }).arch).toBe(arch);
});

test("without --arch it is the host's", () => {
  expect(architectureFlag(undefined, "aarch64")).toBe("aarch64");
});

test.each(["constructor", "toString", "X86_64", ""])("--arch %j is refused", (word) => {
  const error = refused(() => architectureFlag(word, "x86_64"));
  expect([error.code, error.message]).toEqual([
    "invalid_argument",
    `Value "${word}" of --arch is not acceptable: wanted "x86_64" or "aarch64"`,
  ]);
  expect(refused(() => merge({ arch: word })).code).toBe("invalid_argument");
});
