import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SnapshotFiles } from "../../../../vitest-plugin/guest-pool/snapshot-files.ts";

let dir: string;
let root: string;
let files: SnapshotFiles;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-snapshots-"));
  root = join(dir, "project");
  await mkdir(root);
  await writeFile(join(dir, "outside"), "the host's");
  files = new SnapshotFiles(root);
});
afterEach(async () => await rm(dir, { recursive: true }));

test("snapshots are written, read and removed, with the directories above them", async () => {
  const path = join(root, "a", "__snapshots__", "x.snap");
  expect(await files.answer("readSnapshot", [path])).toBeNull();
  await files.answer("saveSnapshot", [path, "text"]);
  expect(await readFile(path, "utf8")).toBe("text");
  expect(await files.answer("readSnapshot", [path])).toBe("text");
  await files.answer("removeSnapshot", [path]);
  expect(await files.answer("readSnapshot", [path])).toBeNull();
});

test.each(["../outside", "node_modules/a/index.js", ".git/config", "link/outside", ""])(
  "%j of the project is no place for one",
  async (place) => {
    await symlink(dir, join(root, "link"));
    const path = join(root, place);
    for (const call of ["readSnapshot", "saveSnapshot", "removeSnapshot"]) {
      await expect(files.answer(call, [path, "text"])).rejects.toThrow(/no place for a snapshot/);
    }
    expect(await readFile(join(dir, "outside"), "utf8")).toBe("the host's");
  },
);

test("where the host itself puts them is a place, wherever it is", async () => {
  const path = join(dir, "elsewhere", "x.snap");
  files.hear({ t: "q", i: "7", m: "resolveSnapshotPath", a: [] });
  files.tell({ t: "s", i: "8", r: join(dir, "outside") });
  files.tell({ t: "s", i: "7", r: path });
  await files.answer("saveSnapshot", [path, "text"]);
  expect(await readFile(path, "utf8")).toBe("text");
  await expect(files.answer("readSnapshot", [join(dir, "outside")])).rejects.toThrow();
});

test.each([
  ["saveSnapshot", []],
  ["saveSnapshot", ["/x"]],
  ["other", [1]],
])("%s with %j is no call", async (name, args) => {
  await expect(files.answer(name, args)).rejects.toThrow(/unknown|no place/);
});
