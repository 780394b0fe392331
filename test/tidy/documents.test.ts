import { expect, test } from "vitest";
import { anchors, namedPaths, prose, relativeLinks } from "./markdown.ts";
import { exists, files, read } from "./repository.ts";

const documents = files.filter((path) => path.endsWith(".md"));

/** Made by a build or a run: documents may name them although git does not know them. */
const produced = ["dist", "microagent-out", "guest/bin", "bench/results", "node_modules"];

const topFolders = [
  ...new Set(files.filter((path) => path.includes("/")).map((path) => path.split("/")[0] ?? "")),
];

test("every relative link leads to a file, and to a heading in it", () => {
  const broken = documents.flatMap((path) =>
    relativeLinks(path, read(path)).flatMap((link) => {
      if (!exists(link.path)) return [`${path}: ${link.path}`];
      if (link.anchor === "" || !link.path.endsWith(".md")) return [];
      return anchors(read(link.path)).includes(link.anchor)
        ? []
        : [`${path}: ${link.path}#${link.anchor}`];
    }),
  );
  expect(broken).toEqual([]);
});

test("every path a document names exists", () => {
  const missing = documents.flatMap((path) =>
    namedPaths(read(path), topFolders)
      .filter(
        (named) => !produced.some((place) => named === place || named.startsWith(`${place}/`)),
      )
      .filter((named) => !exists(named))
      .map((named) => `${path}: ${named}`),
  );
  expect(missing).toEqual([]);
});

test("every npm script a document names exists", () => {
  const scripts = Object.keys(JSON.parse(read("package.json")).scripts);
  const missing = documents.flatMap((path) =>
    [...read(path).matchAll(/\bnpm run ([\w:]+)/g)]
      .map((match) => match[1] ?? "")
      .filter((name) => !scripts.includes(name))
      .map((name) => `${path}: npm run ${name}`),
  );
  expect(missing).toEqual([]);
});

test("a document has one title and no line numbers of sources", () => {
  const wrong = documents.filter((path) => {
    const text = prose(read(path));
    return (text.match(/^# /gm) ?? []).length !== 1 || /\.(ts|go|mjs):\d+/.test(text);
  });
  expect(wrong).toEqual([]);
});

test("markdown is read as it is meant", () => {
  const text = "# A b-c (d)\n[x](../y.md#z) `a/{b,c}.ts` `no`\n```\n[no](no.md)\n```\n";
  expect(relativeLinks("docs/a.md", text)).toEqual([{ path: "y.md", anchor: "z" }]);
  expect(namedPaths(text, ["a"])).toEqual(["a/b.ts", "a/c.ts"]);
  expect(anchors(text)).toEqual(["a-b-c-d"]);
});
