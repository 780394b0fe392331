import { expect, test } from "vitest";
import { errorTable } from "../../src/base/errors.ts";
import { read, shipped } from "./repository.ts";

const codes = Object.keys(errorTable);

test("every error code is raised somewhere", () => {
  const sources = shipped
    .filter((path) => path !== "src/base/errors.ts")
    .map(read)
    .join("\n");
  const own = read("src/base/errors.ts").replace(/errorTable = \{[\s\S]*?\n\} as const/, "");
  const unused = codes.filter((code) => !`${sources}${own}`.includes(`"${code}"`));
  expect(unused, "use the code, or remove it from the table").toEqual([]);
});

test("every error code is documented", () => {
  const page = read("docs/errors.md");
  expect(codes.filter((code) => !page.includes(`| \`${code}\` |`))).toEqual([]);
});

test("meanings are phrases: a capital first, no final period", () => {
  const wrong = Object.values(errorTable)
    .map(({ meaning }) => meaning)
    .filter((meaning) => !/^[A-Z].*[^.]$/.test(meaning));
  expect(wrong).toEqual([]);
});

test("messages at throw sites follow the same grammar", () => {
  const site = /new MicroagentError\(\s*"(\w+)",\s*(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`)/g;
  const wrong = shipped.flatMap((path) =>
    [...read(path).matchAll(site)]
      .map((match) => match[2] ?? match[3] ?? "")
      .filter((message) => !/^([A-Z$"\\]|`)[\s\S]*[^.]$/.test(message))
      .map((message) => `${path}: ${message}`),
  );
  expect(wrong).toEqual([]);
});
