import { createHash } from "node:crypto";
import { lstat, mkdir, open, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { TreeBudget, type TreeManifest, writeHostTree } from "../../../src/agent/host-tree.ts";
import { type EntryType, type TreeItem, treeEntry } from "../../../src/agent/tree.ts";
import type { TreeCapacity } from "../../../src/agent/tree-budget.ts";
import { MicroagentError } from "../../../src/base/errors.ts";
import { startOp, withOp } from "../../../src/base/op.ts";
import { checkProperty } from "../channel/sessions.ts";
import { itemsOf, withTempDir } from "./guests.ts";

const entry = (path: string, type: EntryType, more: object = {}): TreeItem => ({
  kind: "entry",
  entry: treeEntry({ path, type, ...more }),
});
const file = (path: string, content: string, mode = 0o644): TreeItem[] => [
  entry(path, "file", { mode }),
  { kind: "data", data: Buffer.from(content) },
  { kind: "entry-end" },
];
const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");

async function write(
  items: readonly TreeItem[],
  dest: string,
  caps?: Partial<TreeCapacity>,
): Promise<TreeManifest> {
  return await withOp("test", { timeoutMs: 20_000 }, async (op) =>
    caps === undefined
      ? await writeHostTree(op, itemsOf(...items), dest)
      : await writeHostTree(op, itemsOf(...items), dest, new TreeBudget(caps)),
  );
}

test("files and directories arrive with their content, digest and mode", async () => {
  await withTempDir(async (dir) => {
    const dest = join(dir, "new/dest");
    const manifest = await write(
      [
        entry("", "dir"),
        entry("a", "dir", { mode: 0o500 }),
        ...file("a/b", "hello", 0o4777),
        ...file("c/d/e", "", 0o400),
      ],
      dest,
    );
    expect(manifest).toEqual({
      files: [
        { path: "a/b", sizeBytes: 5, sha256: sha256("hello"), mode: 0o4777 },
        { path: "c/d/e", sizeBytes: 0, sha256: sha256(""), mode: 0o400 },
      ],
      directories: 2,
      skipped: [],
      skippedCount: 0,
      bytes: 5,
      failure: null,
    });
    expect(await readFile(join(dest, "a/b"), "utf8")).toBe("hello");
    // Set-id bits and foreign write permission stay in the guest; we can always clean up.
    expect((await stat(join(dest, "a/b"))).mode & 0o7022).toBe(0);
    expect((await stat(join(dest, "a"))).mode & 0o700).toBe(0o700);
    expect((await stat(join(dest, "c/d/e"))).mode & 0o600).toBe(0o600);
    expect((await readdir(dest)).sort()).toEqual(["a", "c"]);
  });
});

test.each([
  ["../up", "component"],
  ["a/../../up", "component"],
  ["/etc/passwd", "absolute"],
  ["a//b", "empty component"],
  ["a/", "empty component"],
  [".", "component"],
  ["a/./b", "component"],
  ["nul\u0000x", "control character"],
  ["line\nbreak", "control character"],
  ["esc\u001b[2J", "control character"],
  ["right\u202eleft", "control character"],
  ["back\\slash", "backslash"],
  ["x".repeat(256), "too long"],
  [`${"d/".repeat(2500)}x`, "too long"],
])("the name %j is refused and recorded", async (path, reason) => {
  await withTempDir(async (dir) => {
    const dest = join(dir, "dest");
    const manifest = await write(
      [entry("", "dir"), ...file(path, "evil"), ...file("good", "ok")],
      dest,
    );
    expect(manifest.failure).toBeNull();
    expect(manifest.skipped).toEqual([
      { path: expect.any(String), type: "file", reason: expect.stringContaining(reason) },
    ]);
    expect(manifest.skipped[0]?.path).toMatch(/^[\p{L}\p{P}\p{S}\p{N}]+$/u);
    expect(manifest.files.map((written) => written.path)).toEqual(["good"]);
    expect(await readdir(dir)).toEqual(["dest"]);
    expect(await readdir(dest)).toEqual(["good"]);
  });
});

test("links, devices and names that are not UTF-8 are recorded, never made", async () => {
  await withTempDir(async (dir) => {
    const manifest = await write(
      [
        entry("", "dir"),
        entry("link", "symlink", { link: "/etc/passwd" }),
        entry("hard", "hardlink", { link: "link" }),
        entry("fifo", "fifo"),
        entry("char", "char", { device: { major: 1, minor: 3 } }),
        entry("block", "block", { device: { major: 8, minor: 0 } }),
        entry("sock", "socket"),
        entry("bad\ufffd", "file", { pathBytes: Buffer.from([0x62, 0xff]) }),
        { kind: "entry-end" },
        { kind: "skip", path: "secret\n", code: "permission_denied", message: "no\u001b" },
        ...file("link/through", "x"),
      ],
      dir,
    );
    expect(manifest.skipped.map(({ path, type, reason }) => `${path} ${type}: ${reason}`)).toEqual([
      'link symlink: Links are not followed: it points to "/etc/passwd"',
      'hard hardlink: Links are not followed: it points to "link"',
      "fifo fifo: Only regular files and directories are brought out",
      "char char: Only regular files and directories are brought out",
      "block block: Only regular files and directories are brought out",
      "sock socket: Only regular files and directories are brought out",
      "bad\ufffd file: The name is not UTF-8",
      "secret\\x0a unknown: The guest could not read it: no\\x1b",
    ]);
    // "link" became a plain directory, because nothing was there.
    expect((await lstat(join(dir, "link"))).isDirectory()).toBe(true);
  });
});

test("symbolic links that were there before lead nowhere", async () => {
  await withTempDir(async (dir) => {
    const dest = join(dir, "dest");
    const outside = join(dir, "outside");
    await mkdir(outside);
    await mkdir(dest);
    await writeFile(join(outside, "victim"), "untouched");
    await symlink(outside, join(dest, "sub"));
    await symlink(join(outside, "victim"), join(dest, "file"));
    await symlink(join(outside, "made"), join(dest, "dangling"));
    const manifest = await write(
      [
        entry("", "dir"),
        entry("sub", "dir"),
        ...file("sub/victim", "evil"),
        ...file("file", "new"),
        ...file("dangling", "new too"),
      ],
      dest,
    );
    expect(manifest.skipped.map(({ path }) => path)).toEqual(["sub", "sub/victim"]);
    expect(manifest.skipped[0]?.reason).toBe(
      'Something that is not a directory is in its way at "sub"',
    );
    expect(await readdir(outside)).toEqual(["victim"]);
    expect(await readFile(join(outside, "victim"), "utf8")).toBe("untouched");
    // The links themselves were replaced by the files.
    expect((await lstat(join(dest, "file"))).isFile()).toBe(true);
    expect(await readFile(join(dest, "dangling"), "utf8")).toBe("new too");
  });
});

test("files that are in each other's way are recorded", async () => {
  await withTempDir(async (dir) => {
    await mkdir(join(dir, "taken/full"), { recursive: true });
    const manifest = await write(
      [
        entry("", "dir"),
        ...file("a", "1"),
        ...file("a/b", "2"),
        ...file("a", "3"),
        ...file("taken", "4"),
      ],
      dir,
    );
    expect(manifest.files.map(({ path, sha256: digest }) => [path, digest])).toEqual([
      ["a", sha256("1")],
    ]);
    expect(manifest.skipped.map(({ path, reason }) => `${path}: ${reason}`)).toEqual([
      'a/b: Something that is not a directory is in its way at "a"',
      "a: The path came twice",
      "taken: The host cannot hold it (EISDIR)",
    ]);
    expect((await readdir(dir)).sort()).toEqual(["a", "taken"]);
  });
});

test("holes stay holes and count in size and digest", async () => {
  await withTempDir(async (dir) => {
    const manifest = await write(
      [
        entry("", "dir"),
        entry("sparse", "file"),
        { kind: "hole", bytes: 8_000_000 },
        { kind: "data", data: Buffer.from("middle") },
        { kind: "hole", bytes: 32_000_000 },
        { kind: "entry-end" },
      ],
      dir,
    );
    const whole = Buffer.concat([
      Buffer.alloc(8_000_000),
      Buffer.from("middle"),
      Buffer.alloc(32_000_000),
    ]);
    expect(manifest.files).toEqual([
      { path: "sparse", sizeBytes: whole.length, sha256: sha256(whole), mode: 0o644 },
    ]);
    expect((await readFile(join(dir, "sparse"))).equals(whole)).toBe(true);
    expect((await stat(join(dir, "sparse"))).blocks * 512).toBeLessThan(1_000_000);
  });
});

test("caps stop the tree, keep what is whole and leave nothing partial", async () => {
  await withTempDir(async (dir) => {
    const items = [entry("", "dir"), ...file("a", "12345"), ...file("b", "12345")];
    const bytes = await write(items, join(dir, "bytes"), { entriesMax: 10, bytesMax: 7 });
    expect(bytes.failure).toMatchObject({
      code: "output_refused",
      message: expect.stringContaining("more than 7 bytes"),
    });
    expect(bytes.files.map(({ path }) => path)).toEqual(["a"]);
    expect(await readdir(join(dir, "bytes"))).toEqual(["a"]);
    const entries = await write(items, join(dir, "entries"), { entriesMax: 2, bytesMax: 100 });
    expect(entries.failure).toMatchObject({
      message: expect.stringContaining("more than 2 entries"),
    });
    expect(await readdir(join(dir, "entries"))).toEqual(["a"]);
    const told = await write(
      [...items, { kind: "end", entries: 3, bytes: 10, truncated: true, counted: 0 }],
      join(dir, "told"),
    );
    expect(told.failure).toMatchObject({ code: "output_refused" });
  });
});

test("a source that breaks, and an op that ends, leave nothing partial", async () => {
  await withTempDir(async (dir) => {
    const broken = new MicroagentError("channel_closed", "The connection to the guest agent ended");
    async function* breaking(): AsyncIterable<TreeItem> {
      yield* file("whole", "w");
      yield entry("partial", "file");
      yield { kind: "data", data: Buffer.alloc(3_000_000) };
      throw broken;
    }
    await withOp("test", {}, async (op) => {
      const manifest = await writeHostTree(op, breaking(), dir);
      expect(manifest.failure).toBe(broken);
      expect(await readdir(dir)).toEqual(["whole"]);
    });
    async function* stuck(): AsyncIterable<TreeItem> {
      yield entry("partial", "file");
      await new Promise(() => {});
    }
    const { op, end } = startOp("short", { timeoutMs: 20 });
    const manifest = await writeHostTree(op, stuck(), dir);
    expect(manifest.failure).toMatchObject({ code: "timeout" });
    expect(await readdir(dir)).toEqual(["whole"]);
    end();
  });
});

test("a full disk is no_space, and the partial file goes", async () => {
  await withTempDir(async (dir) => {
    const probe = await open(join(dir, "fits"), "w");
    const handles = Object.getPrototypeOf(probe) as typeof probe;
    await probe.close();
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
    });
    const writev = vi.spyOn(handles, "writev").mockRejectedValueOnce(full);
    try {
      const big: TreeItem = { kind: "data", data: Buffer.alloc(700_000) };
      const manifest = await write(
        [
          entry("", "dir"),
          entry("big", "file"),
          big,
          big,
          big,
          { kind: "entry-end" },
          ...file("b", ""),
        ],
        dir,
      );
      expect(manifest.failure).toMatchObject({
        code: "no_space",
        message: 'Output "big" cannot be written: no space is left on its disk',
      });
      expect(manifest.files).toEqual([]);
      expect(await readdir(dir)).toEqual(["fits"]);
    } finally {
      writev.mockRestore();
    }
  });
});

test("a directory that cannot be written is named", async () => {
  await withTempDir(async (dir) => {
    await writeFile(join(dir, "file"), "");
    const manifest = await write([entry("", "dir")], join(dir, "file/below"));
    expect(manifest.failure).toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining(`${dir}/file/below`),
    });
  });
});

test("a directory that cannot be made, although the one above it is there, is refused at once", async () => {
  const manifest = await write([entry("", "dir")], "/proc/none/deep");
  expect(manifest.failure).toMatchObject({
    code: "invalid_argument",
    message: expect.stringContaining('"/proc/none/deep"'),
  });
});

const anyName = fc.oneof(
  fc.constantFrom(
    "..",
    ".",
    "",
    "a",
    "b",
    "a/b",
    "a/../b",
    "/abs",
    "a\n",
    "sub",
    "sub/x",
    "sub/y/z",
  ),
  fc.string({ maxLength: 12, unit: "binary" }),
  fc.array(fc.string({ maxLength: 4 }), { maxLength: 4 }).map((parts) => parts.join("/")),
);
const anyType = fc.constantFrom<EntryType>(
  "file",
  "file",
  "file",
  "dir",
  "symlink",
  "hardlink",
  "fifo",
  "char",
);
const anyEntry = fc
  .tuple(anyName, anyType, fc.uint8Array({ maxLength: 20 }), fc.nat(0o7777))
  .map(([path, type, content, mode]): TreeItem[] =>
    type === "file"
      ? [entry(path, type, { mode }), { kind: "data", data: content }, { kind: "entry-end" }]
      : [entry(path, type, { mode, link: "../../outside/victim" })],
  );

test("no tree whatever writes outside its directory", async () => {
  await checkProperty(
    fc.asyncProperty(fc.array(anyEntry, { maxLength: 15 }), async (entries) => {
      await withTempDir(async (dir) => {
        const dest = join(dir, "a/dest");
        await mkdir(join(dir, "outside"));
        await mkdir(dest, { recursive: true });
        await writeFile(join(dir, "outside/victim"), "untouched");
        await symlink("../../outside", join(dest, "sub"));
        const manifest = await write(entries.flat(), dest);
        expect(manifest.failure).toBeNull();
        expect((await readdir(dir)).sort()).toEqual(["a", "outside"]);
        expect(await readdir(join(dir, "a"))).toEqual(["dest"]);
        expect(await readdir(join(dir, "outside"))).toEqual(["victim"]);
        expect(await readFile(join(dir, "outside/victim"), "utf8")).toBe("untouched");
        expect(manifest.files.length + manifest.skipped.length + manifest.directories).toBe(
          entries.length,
        );
        for (const written of manifest.files) {
          const content = await readFile(join(dest, written.path));
          expect(sha256(content)).toBe(written.sha256);
        }
        const left = await readdir(dest, { recursive: true });
        expect(left.filter((name) => name.endsWith(".partial"))).toEqual([]);
      });
    }),
    15,
  );
});
