import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withOp } from "../../../../src/base/op.ts";
import { type EmptyExt4Options, makeEmptyExt4 } from "../../../../src/image/ext4/empty.ts";
import { inTempDir } from "../../../fixtures/build-listing.ts";
import { readExt4 } from "../../../fixtures/read-ext4.ts";

const MiB = 2 ** 20;
const make = (path: string, bytes: number, options?: EmptyExt4Options): Promise<void> =>
  withOp("test", {}, (op) => makeEmptyExt4(op, path, bytes, options));

test.each([1, 3, 64, 1000, 16 * 1024])(
  "an empty disk of %i MiB is sparse and empty",
  async (mib) => {
    await inTempDir(async (dir) => {
      const path = join(dir, "scratch");
      await make(path, mib * MiB);
      const { size, blocks } = await stat(path);
      expect(size).toBe(mib * MiB);
      expect(blocks * 512).toBeLessThan(MiB / 2);
      const { files } = readExt4(path);
      expect([...files.keys()]).toEqual(["", "lost+found"]);
      expect(files.get("")).toMatchObject({ mode: 0o040755, uid: 0, links: 3 });
      expect(files.get("lost+found")).toMatchObject({ mode: 0o040700, links: 2 });
    });
  },
);

test("label and UUID are the given ones, equal requests give equal bytes", async () => {
  await inTempDir(async (dir) => {
    const [one, two] = [join(dir, "1"), join(dir, "2")];
    const uuid = Buffer.from("00112233445566778899aabbccddeeff", "hex");
    await make(one, 8 * MiB, { label: "scratch", uuid });
    await make(two, 8 * MiB, { label: "scratch", uuid });
    expect((await readFile(one)).equals(await readFile(two))).toBe(true);
    await using handle = await open(one);
    const superblock = Buffer.alloc(1024);
    await handle.read(superblock, 0, 1024, 1024);
    expect(superblock.subarray(0x68, 0x78)).toEqual(uuid);
    expect(superblock.toString("latin1", 0x78, 0x80)).toBe("scratch\0");
  });
});

test("a disk too small for a file system is refused", async () => {
  await inTempDir(async (dir) => {
    await expect(make(join(dir, "x"), MiB - 1)).rejects.toMatchObject({ code: "invalid_argument" });
  });
});
