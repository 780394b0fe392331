import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fileError } from "../../../src/host/file-error.ts";
import { makeTempDir, publishDir, writeFileAtomic } from "../../../src/host/files.ts";
import { ensurePrivateDir, stateLayout } from "../../../src/host/state-layout.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-files-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe("writeFileAtomic", () => {
  test("replaces a file, private by default, and leaves nothing beside it", async () => {
    const path = join(dir, "a.json");
    await writeFileAtomic(path, "one");
    await writeFileAtomic(path, "two");
    expect(await readFile(path, "utf8")).toBe("two");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(dir)).toEqual(["a.json"]);
  });

  test("readers never see half a file", async () => {
    const path = join(dir, "a");
    const contents = ["x".repeat(200_000), "y".repeat(100_000)];
    await writeFileAtomic(path, contents[0] ?? "");
    let writing = true;
    const writer = (async () => {
      for (let i = 0; i < 30; i++) await writeFileAtomic(path, contents[i % 2] ?? "");
      writing = false;
    })();
    while (writing) expect(contents).toContain(await readFile(path, "utf8"));
    await writer;
  });

  test("a target that cannot be replaced is an error without debris", async () => {
    await mkdir(join(dir, "full", "sub"), { recursive: true });
    await expect(writeFileAtomic(join(dir, "full"), "x")).rejects.toMatchObject({
      code: "store_corrupt",
    });
    expect(await readdir(dir)).toEqual(["full"]);
  });

  test("a full disk is told apart", () => {
    const full = Object.assign(new Error("no space"), { code: "ENOSPC" });
    expect(fileError(full, 'File "x" cannot be written')).toMatchObject({
      code: "no_space",
      message: 'File "x" cannot be written: no space is left on its disk',
    });
  });
});

describe("directories", () => {
  test("the first publisher wins and the loser's copy goes", async () => {
    for (const name of ["one", "two"]) {
      await mkdir(join(dir, name));
      await writeFile(join(dir, name, "content"), name);
    }
    expect(await publishDir(join(dir, "one"), join(dir, "final"))).toBe(true);
    expect(await publishDir(join(dir, "two"), join(dir, "final"))).toBe(false);
    expect(await readFile(join(dir, "final", "content"), "utf8")).toBe("one");
    expect(await readdir(dir)).toEqual(["final"]);
  });

  test("a temporary directory goes with its scope", async () => {
    let path = "";
    {
      await using temp = await makeTempDir(dir, "t-");
      path = temp.path;
      await writeFile(join(path, "a"), "a");
    }
    expect(await readdir(dir)).toEqual([]);
  });

  test("private directories have mode 0700 all the way", async () => {
    await ensurePrivateDir(join(dir, "a", "b"));
    expect((await stat(join(dir, "a"))).mode & 0o777).toBe(0o700);
    expect((await stat(join(dir, "a", "b"))).mode & 0o777).toBe(0o700);
  });

  test("the state layout follows the option, then the environment", () => {
    expect(stateLayout({ stateDir: "/s" })).toMatchObject({ root: "/s", leases: "/s/leases" });
    process.env.MICROAGENT_STATE_DIR = "/from-env";
    process.env.MICROAGENT_CACHE_DIR = "/cache";
    try {
      expect(stateLayout()).toMatchObject({
        root: "/from-env",
        runtime: "/from-env/runtime",
        images: "/cache/images",
        kernels: "/cache/kernels",
      });
    } finally {
      delete process.env.MICROAGENT_STATE_DIR;
      delete process.env.MICROAGENT_CACHE_DIR;
    }
  });
});
