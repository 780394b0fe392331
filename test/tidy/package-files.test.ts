import { expect, test } from "vitest";
import { z } from "zod";
import { importsOf, packageOf } from "./imports.ts";
import { exists, files, read, select, shipped } from "./repository.ts";

const manifest = z
  .object({
    name: z.string(),
    version: z.string(),
    license: z.literal("Apache-2.0"),
    type: z.literal("module"),
    engines: z.object({ node: z.string() }),
    bin: z.record(z.string(), z.string()),
    exports: z.record(
      z.string(),
      z.union([z.string(), z.strictObject({ types: z.string(), default: z.string() })]),
    ),
    files: z.array(z.string()),
    scripts: z.record(z.string(), z.string()),
    dependencies: z.record(z.string(), z.string()),
    peerDependencies: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(read("package.json")));

/** Made by a build, not kept in git. */
const built = ["dist", "guest/bin"];

test("every door of the package has its source", () => {
  const doors = Object.values(manifest.exports).flatMap((door) =>
    typeof door === "string" ? [door] : [door.types, door.default],
  );
  const sources = [...doors, ...Object.values(manifest.bin)]
    .map((path) => path.replace(/^\.\//, ""))
    .map((path) => path.replace(/^dist\//, "").replace(/(\.d)?\.[jt]s$/, ".ts"));
  expect(sources.filter((path) => !exists(path))).toEqual([]);
});

test("everything the package lists is there", () => {
  const listed = manifest.files.filter((path) => !path.startsWith("!"));
  expect(listed.filter((path) => !built.includes(path) && !exists(path))).toEqual([]);
});

test("every script starts something that is there", () => {
  const missing = Object.values(manifest.scripts)
    .flatMap((script) => [...script.matchAll(/(?:node|-p) (\S+\.(?:mjs|json))/g)])
    .map((match) => match[1] ?? "")
    .filter((path) => !exists(path));
  expect(missing).toEqual([]);
});

test("what ships imports exactly its dependencies", () => {
  const used = shipped
    .flatMap((path) => importsOf(path, read(path)))
    .filter(({ target, specifier }) => target === null && !specifier.startsWith("node:"))
    .map(({ specifier }) => packageOf(specifier));
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  expect([...new Set(used)].sort()).toEqual(declared.sort());
});

const locks = files.filter((path) => /(^|\/)package-lock\.json$/.test(path));

test("each lock file is of a package that is here", () => {
  expect(locks).toContain("package-lock.json");
  expect(locks.length).toBeGreaterThan(1);
  expect(files).toEqual(
    expect.arrayContaining(locks.map((path) => path.replace("-lock.json", ".json"))),
  );
});

test.each(locks)(
  "%s names no server: packages come from whatever registry is configured",
  (path) => {
    expect(read(path)).not.toContain('"resolved"');
  },
);

test.each(locks)("%s is whole for every platform, so that npm ci accepts it everywhere", (lock) => {
  const packages: Record<string, { optionalDependencies?: Record<string, string> }> = JSON.parse(
    read(lock),
  ).packages;
  const missing = Object.entries(packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter(
      (name) =>
        packages[`node_modules/${name}`] === undefined &&
        packages[`${path}/node_modules/${name}`] === undefined,
    ),
  );
  expect(missing).toEqual([]);
});

test("an example tells editors where its schema is", () => {
  const examples = select(["examples"], [".yaml", ".yml"]).filter(
    (path) => !path.startsWith("examples/workflows/"),
  );
  const wrong = examples.filter((path) => {
    const schema = `${"../".repeat(path.split("/").length - 1)}schema/microagent.schema.json`;
    return read(path).split("\n")[0] !== `# yaml-language-server: $schema=${schema}`;
  });
  expect(examples.length).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
  expect(files).toContain("schema/microagent.schema.json");
});
