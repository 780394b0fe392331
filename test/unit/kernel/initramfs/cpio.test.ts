import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CpioEntry, writeCpio } from "../../../../src/kernel/initramfs/cpio.ts";
import { readCpio } from "./read-cpio.ts";

const anyEntry: fc.Arbitrary<CpioEntry> = fc.oneof(
  fc.record({
    kind: fc.constant("directory" as const),
    path: fc.stringMatching(/^[a-z]{1,40}$/),
    mode: fc.constantFrom(0o755, 0o700),
  }),
  fc.record({
    kind: fc.constant("file" as const),
    path: fc.stringMatching(/^[a-z/]{1,60}$/),
    mode: fc.constantFrom(0o644, 0o755),
    data: fc.uint8Array({ maxLength: 3000 }),
  }),
);

describe("writeCpio", () => {
  it("writes what a reader of the format gets back", () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 12 }), (entries) => {
        const archive = writeCpio(entries);
        expect(archive.length % 512).toBe(0);
        const read = readCpio(archive);
        expect(read.map(({ path }) => path)).toEqual(entries.map(({ path }) => path));
        read.forEach((entry, at) => {
          const given = entries[at];
          expect(entry.mode & 0o7777).toBe(given?.mode);
          expect(entry.mode >> 12).toBe(given?.kind === "directory" ? 0o04 : 0o10);
          const data = given?.kind === "file" ? given.data : new Uint8Array(0);
          expect(entry.data.equals(data)).toBe(true);
        });
      }),
    );
  });

  it("writes device nodes with their numbers", () => {
    const [entry] = readCpio(
      writeCpio([
        { kind: "character-device", path: "dev/console", mode: 0o600, major: 5, minor: 1 },
      ]),
    );
    expect(entry).toMatchObject({ path: "dev/console", mode: 0o020600, rdev: [5, 1] });
  });

  it("depends on nothing but its entries", () => {
    const entries: CpioEntry[] = [
      { kind: "directory", path: "dev", mode: 0o755 },
      { kind: "file", path: "init", mode: 0o755, data: Buffer.from("#!/agent") },
    ];
    expect(Buffer.from(writeCpio(entries)).equals(writeCpio(entries))).toBe(true);
    const read = readCpio(writeCpio(entries));
    expect(read.map(({ inode, mtime, uid }) => ({ inode, mtime, uid }))).toEqual([
      { inode: 1, mtime: 0, uid: 0 },
      { inode: 2, mtime: 0, uid: 0 },
    ]);
  });
});
