import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMicroagentError } from "../../../../src/base/errors.ts";
import type { TarEntry } from "../../../../src/image/tar/entry.ts";
import { TarReader } from "../../../../src/image/tar/reader.ts";
import {
  number,
  paxRecords,
  type RawEntry,
  rawEntry,
  rawTar,
  special,
} from "../../../fixtures/raw-tar.ts";

interface ReadEntry extends TarEntry {
  readonly data: string;
}

/** Reads an archive in chunks of `step` bytes. */
function read(tar: Buffer, step: number = tar.length): ReadEntry[] {
  const entries: ReadEntry[] = [];
  let current: TarEntry | null = null;
  let data = "";
  const reader = new TarReader("sha256:layer", {
    entry(entry) {
      current = entry;
      data = "";
    },
    data(chunk, start, end) {
      data += Buffer.from(chunk.subarray(start, end)).toString("latin1");
    },
    entryEnd() {
      if (current !== null) entries.push({ ...(current as TarEntry), data });
    },
  });
  for (let at = 0; at < tar.length; at += step) reader.push(tar.subarray(at, at + step));
  reader.finish();
  return entries;
}

const one = (entry: RawEntry): ReadEntry | undefined => read(rawTar(entry))[0];

function failure(tar: Buffer): { code: string; message: string } {
  try {
    read(tar);
  } catch (error) {
    if (isMicroagentError(error)) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: "none", message: "" };
}

describe("plain headers", () => {
  test.each([
    ["0", "file"],
    ["\0", "file"],
    ["7", "file"],
    ["1", "hardlink"],
    ["2", "symlink"],
    ["3", "char"],
    ["4", "block"],
    ["5", "directory"],
    ["6", "fifo"],
  ])("type %j is a %s", (type, kind) => {
    expect(one({ name: "a", type, link: "b", major: 5, minor: 300 })).toMatchObject({
      kind,
      path: "a",
      linkPath: kind === "hardlink" || kind === "symlink" ? "b" : "",
      devMajor: kind === "char" || kind === "block" ? 5 : 0,
      devMinor: kind === "char" || kind === "block" ? 300 : 0,
    });
  });
  test("an old header's trailing slash means a directory", () => {
    expect(one({ name: "old/", type: "\0", format: "v7" })?.kind).toBe("directory");
  });
  test("modes keep set-user-id, set-group-id and sticky and lose type bits", () => {
    expect(one({ name: "a", mode: 0o107755 })?.mode).toBe(0o7755);
  });
  test("a ustar prefix is put before the name, a GNU header has none", () => {
    const fields = { name: "name", prefix: "some/prefix" };
    expect(one(fields)?.path).toBe("some/prefix/name");
    expect(one({ ...fields, format: "gnu" })?.path).toBe("name");
  });
  test("large numbers are base-256, negative ones two's complement", () => {
    const entry = one({ name: "a", uid: 3_000_000, gid: 0xfffffffe, mtime: -5 });
    expect(entry).toMatchObject({ uid: 3_000_000, gid: 0xfffffffe, mtimeSeconds: -5 });
    expect(one({ name: "a", uid: -2 })?.uid).toBe(0xfffffffe);
  });
  test("sizes of links and devices are no data", () => {
    const tar = rawTar({ name: "a", type: "2", link: "x", size: 700 }, { name: "b" });
    expect(read(tar).map((entry) => entry.path)).toEqual(["a", "b"]);
  });
  test("a file beyond 4 GiB is announced with its size", () => {
    const seen: number[] = [];
    const handler = { entry: (e: TarEntry) => seen.push(e.size), data() {}, entryEnd() {} };
    const reader = new TarReader("sha256:layer", handler);
    reader.push(rawEntry({ name: "big", size: 9_000_000_000 }));
    expect(seen).toEqual([9_000_000_000]);
    expect(() => reader.finish()).toThrow(/in the middle of an entry/);
  });
});

describe("extended headers", () => {
  test("PAX overrides name, link, owners, size and time", () => {
    const long = "d/".repeat(200);
    const entry = one({
      name: "short",
      type: "2",
      link: "short",
      pax: [
        ["path", `${long}name`],
        ["linkpath", `${long}target`],
        ["uid", "4000000000"],
        ["gid", "70000"],
        ["mtime", "1700000000.123456789123"],
        ["comment", "ignored"],
      ],
    });
    expect(entry).toMatchObject({
      path: `${long}name`,
      linkPath: `${long}target`,
      uid: 4_000_000_000,
      gid: 70_000,
      mtimeSeconds: 1_700_000_000,
      mtimeNanoseconds: 123_456_789,
    });
  });
  test.each([
    ["-1.25", -2, 750_000_000],
    ["-3", -3, 0],
    ["7.5", 7, 500_000_000],
    ["0", 0, 0],
  ])("mtime %s", (mtime, mtimeSeconds, mtimeNanoseconds) => {
    const entry = one({ name: "a", pax: [["mtime", mtime]] });
    expect(entry).toMatchObject({ mtimeSeconds, mtimeNanoseconds });
  });
  test("a PAX size replaces the header's", () => {
    const tar = rawTar({ name: "a", size: 0, data: "hello", pax: [["size", "5"]] }, { name: "b" });
    expect(read(tar).map((entry) => [entry.path, entry.data])).toEqual([
      ["a", "hello"],
      ["b", ""],
    ]);
  });
  test("an empty value takes a record back, a global header changes nothing", () => {
    const global = special("g", paxRecords([["path", "global"]]));
    const tar = rawTar(global, { name: "mine", pax: [["path", ""]] });
    expect(read(tar)[0]?.path).toBe("mine");
  });
  test("attributes keep every byte of their values", () => {
    const value = Uint8Array.from([0, 10, 61, 255, 0]);
    const entry = one({
      name: "a",
      pax: [
        ["SCHILY.xattr.security.capability", value],
        ["SCHILY.xattr.user.a=b", "c"],
        ["SCHILY.xattr.user.empty", ""],
      ],
    });
    // The key of a record ends at its first "=".
    expect(entry?.xattrs).toEqual([
      { name: "security.capability", value },
      { name: "user.a", value: new Uint8Array(Buffer.from("b=c")) },
    ]);
  });
  test("headers of one entry do not reach the next", () => {
    const tar = rawTar(
      {
        name: "a",
        pax: [
          ["path", "other"],
          ["uid", "5"],
        ],
      },
      { name: "b" },
    );
    expect(read(tar).map((entry) => [entry.path, entry.uid])).toEqual([
      ["other", 5],
      ["b", 0],
    ]);
  });
  test("GNU long names and links", () => {
    const name = `${"n".repeat(150)}`;
    const tar = rawTar(special("K", `${"t".repeat(200)}\0`), special("L", `${name}\0`), {
      name: "cut",
      type: "2",
      link: "cut",
      format: "gnu",
    });
    expect(read(tar)[0]).toMatchObject({ path: name, linkPath: "t".repeat(200) });
  });
});

describe("sparse files", () => {
  const stored = "AAAABBBB";
  const wanted = {
    size: 3000,
    data: stored,
    sparse: [
      { offset: 1000, length: 4 },
      { offset: 2000, length: 4 },
    ],
  };
  test("GNU.sparse 0.0 in repeated records", () => {
    const pax: RawEntry["pax"] = [
      ["GNU.sparse.size", "3000"],
      ["GNU.sparse.numblocks", "2"],
      ["GNU.sparse.offset", "1000"],
      ["GNU.sparse.numbytes", "4"],
      ["GNU.sparse.offset", "2000"],
      ["GNU.sparse.numbytes", "4"],
    ];
    expect(one({ name: "s", data: stored, pax })).toMatchObject(wanted);
  });
  test("GNU.sparse 0.1 in a list", () => {
    const pax: RawEntry["pax"] = [
      ["GNU.sparse.name", "real"],
      ["GNU.sparse.size", "3000"],
      ["GNU.sparse.map", "1000,4,2000,4"],
    ];
    expect(one({ name: "s", data: stored, pax })).toMatchObject({ ...wanted, path: "real" });
  });
  test("GNU.sparse 1.0 in front of the data", () => {
    const map = Buffer.alloc(512);
    map.write("2\n1000\n4\n2000\n4\n");
    const pax: RawEntry["pax"] = [
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.name", "real"],
      ["GNU.sparse.realsize", "3000"],
    ];
    const data = Buffer.concat([map, Buffer.from(stored)]);
    const tar = rawTar({ name: "s", data, pax }, { name: "next" });
    expect(read(tar, 7)).toMatchObject([{ ...wanted, path: "real" }, { path: "next" }]);
  });
  test("old GNU headers with continuation blocks", () => {
    const extents = Array.from({ length: 30 }, (_, i) => [i * 1000, 1] as const);
    const more = Buffer.alloc(1024);
    extents.slice(4).forEach(([offset, length], i) => {
      const at = i < 21 ? i * 24 : 512 + (i - 21) * 24;
      number(more, offset, at, 12);
      number(more, length, at + 12, 12);
    });
    more[504] = 1;
    const header = rawEntry({
      name: "s",
      type: "S",
      format: "gnu",
      size: 30,
      patch(block) {
        extents.slice(0, 4).forEach(([offset, length], i) => {
          number(block, offset, 386 + i * 24, 12);
          number(block, length, 398 + i * 24, 12);
        });
        block[482] = 1;
        number(block, 30_000, 483, 12);
      },
    });
    const data = Buffer.alloc(512);
    data.write("x".repeat(30));
    const tar = rawTar(header, more, data, { name: "next" });
    for (const step of [tar.length, 100]) {
      const [file, next] = read(tar, step);
      expect(file).toMatchObject({ size: 30_000, data: "x".repeat(30) });
      expect(file?.sparse).toEqual(extents.map(([offset, length]) => ({ offset, length })));
      expect(next?.path).toBe("next");
    }
  });
  test.each([
    ["overlapping", "0,4,2,4"],
    ["beyond the end", "0,4,2998,4"],
    ["not as long as the data", "0,4"],
    ["odd", "0,4,5"],
    ["no numbers", "a,b"],
  ])("a map that is %s is corrupt", (_, map) => {
    const pax: RawEntry["pax"] = [
      ["GNU.sparse.size", "3000"],
      ["GNU.sparse.map", map],
    ];
    expect(failure(rawTar({ name: "s", data: stored, pax })).code).toBe("image_corrupt");
  });
});

describe("broken archives", () => {
  const good = rawTar({ name: "a", data: "x".repeat(600) }, { name: "b", pax: [["uid", "7"]] });
  test("every truncation inside an entry is corrupt and named", () => {
    for (let length = 1; length < good.length - 1024; length += 37) {
      const cut = good.subarray(0, length);
      const atBoundary = [1536].includes(length);
      expect(failure(cut).code, `${length}`).toBe(atBoundary ? "none" : "image_corrupt");
    }
    expect(failure(good.subarray(0, 700)).message).toBe(
      'Layer "sha256:layer" ends in the middle of an entry at offset 700',
    );
  });
  test("an archive may end without end blocks, and rubbish behind them is padding", () => {
    expect(read(good.subarray(0, good.length - 1024))).toHaveLength(2);
    expect(read(Buffer.concat([good, Buffer.alloc(700, "z")]))).toHaveLength(2);
    expect(read(Buffer.alloc(0))).toEqual([]);
  });
  test("a damaged header is found by its checksum, with its offset", () => {
    const damaged = Buffer.from(good);
    damaged[1536 + 3] = 1;
    expect(failure(damaged)).toEqual({
      code: "image_corrupt",
      message: 'Layer "sha256:layer" has a header with a wrong checksum at offset 1536',
    });
  });
  test.each<[string, RawEntry, string]>([
    ["a size that is no number", { name: "a", patch: (b) => b.write("zzz", 124) }, "image_corrupt"],
    ["a negative size", { name: "a", size: -1 }, "image_corrupt"],
    [
      "an owner that is no number",
      { name: "a", patch: (b) => b.write("99", 108) },
      "image_corrupt",
    ],
    ["an owner beyond 32 bits", { name: "a", pax: [["uid", "4294967296"]] }, "image_corrupt"],
    ["an unknown type", { name: "a", type: "Q" }, "image_corrupt"],
    ["a device number out of range", { name: "a", type: "3", major: 4096 }, "image_corrupt"],
    ["a NUL in a PAX path", { name: "a", pax: [["path", "a\0b"]] }, "image_corrupt"],
    [
      "too many attribute bytes",
      { name: "a", pax: [["SCHILY.xattr.user.x", "v".repeat(65_600)]] },
      "image_hostile",
    ],
    [
      "an endless PAX header",
      { name: "a", pax: [["comment", "v".repeat(1 << 20)]] },
      "image_hostile",
    ],
    [
      "a file larger than any file system",
      { name: "a", pax: [["size", `${2 ** 50}`]] },
      "image_hostile",
    ],
  ])("%s", (_, entry, code) => {
    expect(failure(rawTar(entry)).code).toBe(code);
  });
  test.each(["5 a=b\n", "99 a=b\n", "6 a=b", "x a=b\n", "6 ab\n\n", "6 =ab\n", "0 a=b\n"])(
    "the PAX record %j is refused",
    (body) => {
      expect(failure(rawTar(special("x", body), { name: "a" })).code).toBe("image_corrupt");
    },
  );
  test("an extended header that belongs to no entry is corrupt", () => {
    const tar = rawTar(special("L", "name\0"));
    expect(failure(tar).message).toContain("ends after an extended header");
  });
});

test("how an archive is cut into chunks changes nothing", () => {
  const tar = rawTar(
    { name: "dir/", type: "5", uid: 10 },
    { name: "a", data: "q".repeat(1500), pax: [["mtime", "3.5"]] },
    special("L", `${"long/".repeat(40)}\0`),
    { name: "b", data: "w".repeat(512), format: "gnu" },
    { name: "c", type: "2", link: "a" },
  );
  const whole = read(tar);
  expect(whole.map((entry) => entry.data.length)).toEqual([0, 1500, 512, 0]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1100 }), (step) => {
      expect(read(tar, step)).toEqual(whole);
    }),
    { numRuns: 60 },
  );
});

test("no bytes whatever make the reader do anything but read or refuse", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.integer({ min: 0, max: 2500 }),
      (noise, at) => {
        const tar = rawTar(
          { name: "a", data: "x".repeat(600), pax: [["uid", "7"]] },
          { name: "b" },
        );
        tar.set(noise.subarray(0, Math.max(0, tar.length - at)), Math.min(at, tar.length - 1));
        expect(["none", "image_corrupt", "image_hostile"]).toContain(failure(tar).code);
      },
    ),
    { numRuns: 300 },
  );
});
