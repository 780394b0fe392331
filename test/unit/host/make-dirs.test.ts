import { mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { existingDirOf, makeDirs } from "../../../src/host/make-dirs.ts";
import { ensurePrivateDir } from "../../../src/host/state-layout.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "make-dirs-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

test("levels are made with the mode, side by side too, and existing ones keep theirs", async () => {
  const deep = join(dir, "a", "b", "c");
  await Promise.all([makeDirs(deep, 0o700), makeDirs(deep, 0o700), makeDirs(join(deep, "d"))]);
  expect((await stat(deep)).mode & 0o777).toBe(0o700);
  await makeDirs(deep, 0o755);
  expect((await stat(deep)).mode & 0o777).toBe(0o700);
  expect(await existingDirOf(join(deep, "d", "e", "f"))).toBe(join(deep, "d"));
});

test("a file, a link to nowhere and a place where nothing can be made are errors, at once", async () => {
  await writeFile(join(dir, "file"), "");
  await symlink("nowhere", join(dir, "link"));
  await expect(makeDirs(join(dir, "file"))).rejects.toMatchObject({ code: "ENOTDIR" });
  await expect(makeDirs(join(dir, "file", "below"))).rejects.toMatchObject({ code: "ENOTDIR" });
  await expect(makeDirs(join(dir, "link", "below"))).rejects.toMatchObject({ code: "EEXIST" });
  await expect(ensurePrivateDir("/proc/none/of/this")).rejects.toMatchObject({
    code: "store_corrupt",
    message: expect.stringContaining('"/proc/none/of/this"'),
  });
});
