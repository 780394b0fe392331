import { createHash } from "node:crypto";
import { constants } from "node:fs";
import {
  chmod,
  mkdir,
  open,
  readFile,
  readlink,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readHostTree, writeHostTree } from "../../../src/agent/host-tree.ts";
import { withOp } from "../../../src/base/op.ts";
import { collect, itemsOf, withTempDir } from "./guests.ts";

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

test("a host tree is read in order, links as links, twice the same", async () => {
  await withTempDir(async (dir) => {
    const root = join(dir, "root");
    await mkdir(join(root, "b/deep"), { recursive: true });
    await writeFile(join(root, "b/deep/f"), "deep");
    await writeFile(join(root, "a"), "A");
    await chmod(join(root, "a"), 0o750);
    await utimes(join(root, "a"), 1_600_000_000, 1_600_000_000);
    await symlink("../outside", join(root, "c"));
    await writeFile(Buffer.concat([Buffer.from(`${root}/b`), Buffer.from([0x2e, 0xff])]), "");
    const server = createServer().listen(join(root, "socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    const read = async () =>
      await withOp("test", {}, async (op) => await collect(readHostTree(op, root)));
    const items = await read();
    expect(await read()).toEqual(items);
    server.close();
    const names = items.flatMap((item) =>
      item.kind === "entry"
        ? [`${item.entry.type} ${item.entry.path}`]
        : item.kind === "skip"
          ? [`skip ${item.path}`]
          : [],
    );
    expect(names).toEqual([
      "dir ",
      "file a",
      "dir b",
      "dir b/deep",
      "file b/deep/f",
      "file b.\ufffd",
      "symlink c",
      "skip socket",
    ]);
    const entries = items.flatMap((item) => (item.kind === "entry" ? [item.entry] : []));
    expect(entries[1]).toMatchObject({
      mode: 0o750,
      uid: 0,
      gid: 0,
      sizeBytes: 1,
      mtimeSeconds: 1_600_000_000,
      pathBytes: null,
    });
    expect(entries[5]?.pathBytes).toEqual(Buffer.from([0x62, 0x2e, 0xff]));
    expect(entries[6]).toMatchObject({ link: "../outside" });
  });
});

test("the root of a host tree may be a file or a link to one, and must exist", async () => {
  await withTempDir(async (dir) => {
    await writeFile(join(dir, "f"), "content");
    await symlink("f", join(dir, "l"));
    await withOp("test", {}, async (op) => {
      const items = await collect(readHostTree(op, join(dir, "l")));
      expect(items.map((item) => item.kind)).toEqual(["entry", "data", "entry-end"]);
      expect(items[0]).toMatchObject({ entry: { path: "", type: "file", sizeBytes: 7 } });
      await expect(collect(readHostTree(op, join(dir, "missing")))).rejects.toMatchObject({
        code: "invalid_argument",
        message: `Path "${join(dir, "missing")}" does not exist`,
      });
    });
  });
});

test("a sparse host file is read with its holes and written back the same", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "sparse");
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT);
    await handle.write(Buffer.from("begin"), 0, 5, 0);
    await handle.write(Buffer.from("end"), 0, 3, 5_000_000);
    await handle.truncate(9_000_000);
    await handle.close();
    await withOp("test", {}, async (op) => {
      const items = await collect(readHostTree(op, path));
      expect(items.filter((item) => item.kind === "hole").length).toBe(2);
      const renamed = items.map((item) =>
        item.kind === "entry" ? { ...item, entry: { ...item.entry, path: "copy" } } : item,
      );
      const manifest = await writeHostTree(op, itemsOf(...renamed), dir);
      expect(manifest.files[0]).toMatchObject({
        sizeBytes: 9_000_000,
        sha256: sha256(await readFile(path)),
      });
      expect((await readFile(join(dir, "copy"))).equals(await readFile(path))).toBe(true);
    });
  });
});

test("links in a host tree are read, not followed", async () => {
  await withTempDir(async (dir) => {
    await symlink("/nowhere", join(dir, "dangling"));
    await withOp("test", {}, async (op) => {
      const items = await collect(readHostTree(op, dir));
      expect(items[1]).toMatchObject({ entry: { type: "symlink", link: "/nowhere" } });
    });
    expect(await readlink(join(dir, "dangling"))).toBe("/nowhere");
  });
});

test("many files, small and large, come in order with their content and the right sizes", async () => {
  await withTempDir(async (dir) => {
    const sizes = [0, 1, 1000, 65_535, 65_536, 65_537, 300_000, 5];
    await Promise.all(
      sizes.map((size, n) => writeFile(join(dir, `f${n}`), Buffer.alloc(size, `${n}`))),
    );
    await withOp("test", {}, async (op) => {
      const seen: { path: string; promised: number; bytes: number }[] = [];
      for await (const item of readHostTree(op, dir)) {
        const last = seen.at(-1);
        if (item.kind === "entry" && item.entry.type === "file") {
          seen.push({ path: item.entry.path, promised: item.entry.sizeBytes, bytes: 0 });
        } else if (item.kind === "data" && last !== undefined) {
          expect(item.data.every((byte) => byte === last.path.charCodeAt(1))).toBe(true);
          last.bytes += item.data.length;
        }
      }
      expect(seen).toEqual(
        sizes.map((size, n) => ({ path: `f${n}`, promised: size, bytes: size })),
      );
    });
  });
});
