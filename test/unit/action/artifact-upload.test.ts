import { execFileSync } from "node:child_process";
import { lstat, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { artifactName, linkFreeCopy } from "../../../action/artifact-upload.ts";
import { temporary } from "./temporary.ts";

test("only regular files of the tree itself are copied, under names that the service takes", async () => {
  await using held = await temporary();
  const [from, to] = [join(held.dir, "from"), join(held.dir, "to")];
  await mkdir(join(from, "a", "b"), { recursive: true });
  await writeFile(join(held.dir, "secret"), "host secret");
  await writeFile(join(from, "a", "b", "c.txt"), "c");
  for (const name of ["cr\rlf\n", 'q":<>|*?\\', "100%", "..x"]) {
    await writeFile(join(from, name), name);
  }
  await symlink(join(held.dir, "secret"), join(from, "link"));
  await symlink(held.dir, join(from, "up"));
  await symlink("../..", join(from, "a", "dots"));
  execFileSync("mkfifo", [join(from, "fifo")]);
  const { files, leftOut } = await linkFreeCopy(from, to);
  expect(leftOut).toBe(0);
  const names = files.map((path) => relative(to, path)).sort();
  expect(names).toEqual(
    ["%2E", "100%25", "a/b/c.txt", "cr%0Dlf%0A", "q%22%3A%3C%3E%7C%2A%3F%5C", "..x"]
      .filter((name) => name !== "%2E")
      .sort(),
  );
  for (const path of files) expect((await lstat(path)).isFile()).toBe(true);
  expect(await readFile(join(to, "100%25"), "utf8")).toBe("100%");
});

test("two names never become one", async () => {
  await using held = await temporary();
  const from = join(held.dir, "from");
  await mkdir(from);
  await writeFile(join(from, "a:b"), "1");
  await writeFile(join(from, "a%3Ab"), "2");
  const { files } = await linkFreeCopy(from, join(held.dir, "to"));
  expect(new Set(files).size).toBe(2);
  expect(await Promise.all(files.map((path) => readFile(path, "utf8")))).toHaveLength(2);
});

test("ten thousand files are taken, the others are counted", async () => {
  await using held = await temporary();
  const from = join(held.dir, "from");
  await mkdir(from);
  const names = Array.from({ length: 10_001 }, (_, at) => join(from, String(at)));
  for (let at = 0; at < names.length; at += 500) {
    await Promise.all(names.slice(at, at + 500).map((path) => writeFile(path, "")));
  }
  const { files, leftOut } = await linkFreeCopy(from, join(held.dir, "to"));
  expect([files.length, leftOut]).toEqual([10_000, 1]);
});

test("what was at the place of the copy is gone first, a link there is not followed", async () => {
  await using held = await temporary();
  const [from, to, elsewhere] = ["from", "to", "elsewhere"].map((name) => join(held.dir, name)) as [
    string,
    string,
    string,
  ];
  await mkdir(from);
  await mkdir(elsewhere);
  await writeFile(join(from, "x"), "1");
  await symlink(elsewhere, to);
  await linkFreeCopy(from, to);
  await expect(lstat(join(elsewhere, "x"))).rejects.toThrow("ENOENT");
});

test.each([
  [null, "build", "w-1", "microagent-build-w-1"],
  ["my report", "build", "w", "my report"],
  [null, "a/b:c", "w\r\n", "microagent-a-b%3Ac-w%0D%0A"],
])("an artifact's name from %j, job %j and workspace %j", (given, job, workspace, name) => {
  expect(artifactName(given, job, workspace)).toBe(name);
  expect(artifactName(given, job, "x".repeat(500)).length).toBeLessThanOrEqual(200);
});
