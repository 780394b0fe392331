import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  addOnly,
  addPackages,
  copyOfSet,
  emptySet,
  findPackage,
  packageDirOf,
} from "../../../../vitest-plugin/guest-pool/packages.ts";

let root: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "microagent-packages-")));
});
afterEach(async () => await rm(root, { recursive: true }));

async function install(path: string, manifest: Record<string, unknown>): Promise<string> {
  const dir = join(root, path);
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "package.json"), JSON.stringify(manifest));
  return dir;
}

test("a package comes with what it needs, each as Node would find it", async () => {
  const main = await install("node_modules/main", {
    dependencies: { twice: "*", "@scope/one": "*", "@types/x": "*" },
    optionalDependencies: { missing: "*" },
    peerDependencies: { peer: "*", perhaps: "*" },
    peerDependenciesMeta: { perhaps: { optional: true } },
  });
  await install("node_modules/twice", {});
  await install("node_modules/main/node_modules/twice", { dependencies: { main: "*" } });
  await install("node_modules/@scope/one", { dependencies: { twice: "*" } });
  for (const name of ["@types/x", "peer", "perhaps", "other"]) {
    await install(`node_modules/${name}`, {});
  }
  const set = emptySet();
  const added = await addPackages(set, [main]);
  expect([...added.dirs].map((dir) => relative(root, dir)).sort()).toEqual([
    "node_modules/@scope/one",
    "node_modules/main",
    "node_modules/main/node_modules/twice",
    "node_modules/peer",
    "node_modules/twice",
  ]);
  expect((await addPackages(set, [main])).dirs.size).toBe(0);
});

test("links are links, also to packages of a store", async () => {
  const real = await install("store/a@1/node_modules/a", { dependencies: { b: "*" } });
  const b = await install("store/b@1/node_modules/b", {});
  await symlink(b, join(dirname(real), "b"));
  await mkdir(join(root, "node_modules"));
  await symlink(real, join(root, "node_modules", "a"));
  const path = await findPackage("a", join(root, "src", "deep"));
  const set = await addPackages(emptySet(), [path ?? ""]);
  expect([...set.dirs].sort()).toEqual([real, b]);
  expect(Object.fromEntries(set.links)).toEqual({
    [join(root, "node_modules", "a")]: real,
    [join(dirname(real), "b")]: b,
  });
});

test("a package that came without what it declares gets it when it is asked for", async () => {
  const vite = await install("node_modules/vite", { dependencies: { big: "*" } });
  const big = await install("node_modules/big", {});
  const set = emptySet();
  expect([...(await addOnly(set, [vite])).dirs]).toEqual([vite]);
  expect([...(await addPackages(set, [vite])).dirs]).toEqual([big]);
  expect([...(await addPackages(set, [vite])).dirs]).toEqual([]);
});

test("a copy of a set is a set of its own", async () => {
  const one = await install("node_modules/one", {});
  const set = emptySet();
  await addPackages(copyOfSet(set), [one]);
  expect([set.dirs.size, set.complete.size]).toEqual([0, 0]);
});

test.each([
  ["/p/node_modules/a/dist/x.js", "/p/node_modules/a"],
  ["/p/node_modules/@s/a/x.js", "/p/node_modules/@s/a"],
  ["/p/node_modules/a/node_modules/b/x.js", "/p/node_modules/a/node_modules/b"],
  ["/p/src/x.js", null],
])("%s belongs to %s", (file, dir) => {
  expect(packageDirOf(file)).toBe(dir);
});
