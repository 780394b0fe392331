import { expect, test } from "vitest";
import { longFileLines, longFiles, longTestLines } from "./long-files.ts";
import { files, read } from "./repository.ts";

const code = files.filter((path) => /\.(ts|mjs|go|c)$/.test(path));

test("a long file has a reason in test/tidy/long-files.ts", () => {
  const long = code.filter((path) => {
    const most = /[._]test\.\w+$/.test(path) ? longTestLines : longFileLines;
    return read(path).split("\n").length - 1 > most;
  });
  expect(long.filter((path) => longFiles[path] === undefined)).toEqual([]);
  expect(Object.keys(longFiles).filter((path) => !long.includes(path))).toEqual([]);
});

test("no drawers: a folder or file is named after its concept", () => {
  const drawer = /^(utils?|helpers?|commons?|shared|misc)$/;
  const found = files.filter((path) =>
    path.split("/").some((part) => drawer.test(part.replace(/(\.test|_test)?\.\w+$/, ""))),
  );
  expect(found).toEqual([]);
});

test("source files are named in lower case with hyphens", () => {
  const typescript = files.filter((path) => /\.(ts|mjs)$/.test(path));
  const wrong = typescript.filter(
    (path) => !/^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(path.split("/").at(-1) ?? ""),
  );
  expect(wrong).toEqual([]);
});

test("a unit test lies where its source lies", () => {
  const folders = new Set(files.map((path) => path.split("/").slice(0, -1).join("/")));
  const orphans = files
    .filter((path) => path.startsWith("test/unit/") && path.endsWith(".test.ts"))
    .map((path) => path.slice("test/unit/".length).split("/").slice(0, -1).join("/"))
    .filter((folder) => !["src/", "", "test/"].some((room) => folders.has(`${room}${folder}`)));
  expect([...new Set(orphans)]).toEqual([]);
});
