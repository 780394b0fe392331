import { describe, expect, test } from "vitest";
import { listingOf, paths } from "../../../fixtures/build-listing.ts";
import type { RawEntry } from "../../../fixtures/raw-tar.ts";
import { sha256 } from "../../../fixtures/tree-listing.ts";

const file = (name: string, data = name): RawEntry => ({ name, data });
const dir = (name: string, more: Partial<RawEntry> = {}): RawEntry => ({
  name,
  type: "5",
  ...more,
});
const link = (name: string, target: string): RawEntry => ({ name, type: "2", link: target });
const hard = (name: string, target: string): RawEntry => ({ name, type: "1", link: target });

async function refusal(...layers: RawEntry[][]): Promise<{ code: string; message: string }> {
  try {
    await listingOf(...layers);
  } catch (error) {
    return error as { code: string; message: string };
  }
  return { code: "none", message: "" };
}

describe("whiteouts", () => {
  test("remove files and whole directories of lower layers", async () => {
    const tree = await listingOf(
      [dir("d"), file("d/a"), file("d/b"), dir("e"), dir("e/f"), file("e/f/g")],
      [file("d/.wh.a", ""), file(".wh.e", "")],
    );
    expect(paths(tree)).toEqual(["d/", "d/b"]);
  });
  test("spare what their own layer brought, before or after them", async () => {
    const lower = [dir("d"), file("d/a"), file("d/b")];
    const before = [file("d/new"), file(".wh.d", ""), file("d/late")];
    expect(paths(await listingOf(lower, before))).toEqual(["d/", "d/late", "d/new"]);
    const same = [file("x", "upper"), file(".wh.x", "")];
    const tree = await listingOf([file("x", "lower")], same);
    expect(tree.files.get("x")?.sha256).toBe(sha256(Buffer.from("upper")));
  });
  test("opaque directories hide all that is below, and stay", async () => {
    const lower = [dir("d", { uid: 5 }), file("d/a"), dir("d/s"), file("d/s/t")];
    for (const upper of [
      [file("d/.wh..wh..opq", ""), file("d/new")],
      [file("d/new"), file("d/.wh..wh..opq", "")],
    ]) {
      const tree = await listingOf(lower, upper);
      expect(paths(tree)).toEqual(["d/", "d/new"]);
      expect(tree.files.get("d")?.uid).toBe(5);
    }
    expect(paths(await listingOf(lower, [file(".wh..wh..opq", "")]))).toEqual([]);
  });
  test("of nothing do nothing", async () => {
    const tree = await listingOf([file("a")], [file(".wh.b", ""), file("no/such/.wh.c", "")]);
    expect(paths(tree)).toEqual(["a"]);
  });
  test("follow links on the way, but remove the link itself at the end", async () => {
    const tree = await listingOf(
      [dir("real"), file("real/a"), file("real/b"), link("way", "real")],
      [file("way/.wh.a", "")],
    );
    expect(paths(tree)).toEqual(["real/", "real/b", "way -> real"]);
    const gone = await listingOf([dir("real"), link("way", "real")], [file(".wh.way", "")]);
    expect(paths(gone)).toEqual(["real/"]);
  });
  test.each([".wh.", ".wh..", ".wh..."])("%s names nothing and is refused", async (name) => {
    expect((await refusal([dir("d"), file(`d/${name}`, "")])).code).toBe("image_hostile");
  });
});

describe("replacing", () => {
  test("a file by a directory and the reverse", async () => {
    const tree = await listingOf(
      [file("a"), dir("b"), file("b/c"), link("l", "b")],
      [dir("a"), file("a/x"), file("b"), dir("l"), file("l/y")],
    );
    expect(paths(tree)).toEqual(["a/", "a/x", "b", "l/", "l/y"]);
  });
  test("a directory by a directory merges and takes the new metadata", async () => {
    const tree = await listingOf(
      [dir("d", { mode: 0o700, uid: 1, pax: [["SCHILY.xattr.user.old", "1"]] }), file("d/a")],
      [dir("d", { mode: 0o1777, gid: 2, mtime: 99 }), file("d/b")],
    );
    expect(paths(tree)).toEqual(["d/", "d/a", "d/b"]);
    expect(tree.files.get("d")).toMatchObject({
      mode: 0o41777,
      uid: 0,
      gid: 2,
      mtimeSeconds: 99,
      xattrs: [],
    });
  });
  test("content, again and again, in one layer and in several", async () => {
    const tree = await listingOf(
      [file("a", "x".repeat(9000)), file("a", "short"), file("b", "y".repeat(5000))],
      [file("a", "z".repeat(4097)), file("b", "b")],
    );
    expect(tree.files.get("a")).toMatchObject({
      size: 4097,
      sha256: sha256(Buffer.alloc(4097, "z")),
    });
    expect(tree.files.get("b")?.sha256).toBe(sha256(Buffer.from("b")));
  });
  test("one name of a hard-linked file leaves the others", async () => {
    const tree = await listingOf(
      [file("a", "old"), hard("b", "a"), hard("c", "a")],
      [file("a", "new")],
    );
    expect(tree.sameFile).toEqual([["b", "c"]]);
    expect(tree.files.get("b")).toMatchObject({ links: 2, sha256: sha256(Buffer.from("old")) });
    expect(tree.files.get("a")).toMatchObject({ links: 1, sha256: sha256(Buffer.from("new")) });
  });
});

describe("metadata", () => {
  test("is exact: owners, modes, times, attributes, devices", async () => {
    const capability = Uint8Array.from([
      1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    const tree = await listingOf([
      { name: "ping", mode: 0o4755, pax: [["SCHILY.xattr.security.capability", capability]] },
      { name: "deep", uid: 4_000_000_000, gid: 65_536, pax: [["mtime", "-1.5"]] },
      { name: "null", type: "3", mode: 0o666, major: 1, minor: 3 },
      { name: "disk", type: "4", major: 259, minor: 70_000 },
      { name: "pipe", type: "6", mode: 0o600 },
    ]);
    expect(tree.files.get("ping")).toMatchObject({
      mode: 0o104755,
      xattrs: [["security.capability", Buffer.from(capability).toString("hex")]],
    });
    expect(tree.files.get("deep")).toMatchObject({
      uid: 4_000_000_000,
      gid: 65_536,
      mtimeSeconds: -2,
      mtimeNanoseconds: 500_000_000,
    });
    expect(tree.files.get("null")).toMatchObject({ mode: 0o020666, device: 0x103 });
    const disk = ((70_000 & 0xff) | (259 << 8) | ((70_000 & ~0xff) << 12)) >>> 0;
    expect(tree.files.get("disk")).toMatchObject({ mode: 0o060644, device: disk });
    expect(tree.files.get("pipe")?.mode).toBe(0o010600);
  });
  test("of the root can be set, its type cannot", async () => {
    const tree = await listingOf([dir("./", { mode: 0o700, uid: 9, mtime: 12 })]);
    expect(tree.files.get("")).toMatchObject({
      mode: 0o040700,
      uid: 9,
      mtimeSeconds: 12,
      links: 2,
    });
    expect((await refusal([link("/", "elsewhere")])).code).toBe("image_hostile");
  });
  test("counts links: names of files, subdirectories of directories", async () => {
    const tree = await listingOf([dir("d"), dir("d/1"), dir("d/2"), file("f"), hard("d/g", "f")]);
    expect(tree.files.get("d")?.links).toBe(4);
    expect(tree.files.get("f")?.links).toBe(2);
    expect(tree.files.get("")?.links).toBe(3);
  });
  test("attributes that Linux would not take are left out", async () => {
    const pax: RawEntry["pax"] = [
      ["SCHILY.xattr.security.selinux", "system_u:object_r:x"],
      ["SCHILY.xattr.com.apple.quarantine", "x"],
      ["SCHILY.xattr.user.", "no name"],
      ["SCHILY.xattr.trusted.b", "2"],
      ["SCHILY.xattr.user.a", "1"],
    ];
    expect((await listingOf([{ name: "f", pax }])).files.get("f")?.xattrs).toEqual([
      ["trusted.b", "32"],
      ["user.a", "31"],
    ]);
  });
  test("an access control list must be one", async () => {
    const pax: RawEntry["pax"] = [["SCHILY.xattr.system.posix_acl_access", "nonsense"]];
    expect((await refusal([{ name: "f", pax }])).code).toBe("image_corrupt");
  });
});

describe("paths", () => {
  test("missing parents are made: root's, 0755", async () => {
    const tree = await listingOf([{ name: "a/b/c", uid: 7 }]);
    expect(paths(tree)).toEqual(["a/", "a/b/", "a/b/c"]);
    expect(tree.files.get("a/b")).toMatchObject({
      mode: 0o040755,
      uid: 0,
      gid: 0,
      mtimeSeconds: 0,
    });
  });
  test("leading slashes, dots and inner .. are cleaned as container tools do", async () => {
    const tree = await listingOf([file("/a"), file("./b"), file("x/./../c"), file("//d//e")]);
    expect(paths(tree)).toEqual(["a", "b", "c", "d/", "d/e"]);
  });
  test("names are bytes: backslashes, spaces, high bytes, newlines", async () => {
    const names = ["dev-disk-by\\x2duuid.device", "a b", "\xff\xfe", "new\nline", "-", "!"];
    const tree = await listingOf(names.map((name) => file(name)));
    expect(paths(tree)).toEqual([...names].sort());
  });
  test("parents that are links lead inside the tree, wherever they point", async () => {
    const tree = await listingOf([
      dir("usr"),
      dir("usr/lib"),
      link("lib", "usr/lib"),
      link("abs", "/usr/lib"),
      link("up", "../../../usr"),
      link("usr/back", "../lib"),
      file("lib/a"),
      file("abs/b"),
      file("up/lib/c"),
      file("usr/back/d"),
      link("dangling", "not/there"),
      file("dangling/e"),
    ]);
    expect(paths(tree).filter((path) => !path.includes(" -> "))).toEqual([
      "not/",
      "not/there/",
      "not/there/e",
      "usr/",
      "usr/lib/",
      "usr/lib/a",
      "usr/lib/b",
      "usr/lib/c",
      "usr/lib/d",
    ]);
  });
  test("hard links reach files of lower layers, through links too, and links themselves", async () => {
    const tree = await listingOf(
      [dir("usr"), file("usr/a"), link("way", "usr"), link("soft", "usr/a")],
      [hard("b", "way/a"), hard("/c", "/usr/a"), hard("d", "soft")],
    );
    expect(tree.sameFile).toEqual([
      ["b", "c", "usr/a"],
      ["d", "soft"],
    ]);
  });
});

describe("hostile layers are refused by name", () => {
  test("..", async () => {
    const { code, message } = await refusal([file("ok")], [file("a/../../etc/passwd")]);
    expect(code).toBe("image_hostile");
    expect(message).toMatch(
      /^Layer "sha256:[0-9a-f]{64}" has an entry "a\/\.\.\/\.\.\/etc\/passwd" with a path that leaves the tree by "\.\." at offset 0$/,
    );
  });
  test.each<[string, RawEntry[], string]>([
    ["hard link out of the tree", [hard("a", "../../etc/shadow")], "image_hostile"],
    ["hard link to nothing", [hard("a", "b")], "image_corrupt"],
    ["hard link to itself", [file("a"), hard("a", "a")], "image_corrupt"],
    ["hard link to a directory", [dir("d"), hard("a", "d")], "image_corrupt"],
    ["hard link to the root", [hard("a", "/")], "image_corrupt"],
    ["file as a parent", [file("a"), file("a/b")], "image_corrupt"],
    ["links in a circle", [link("a", "b"), link("b", "a"), file("a/x")], "image_hostile"],
    ["overlong name", [{ name: "x", pax: [["path", "n".repeat(256)]] }], "image_hostile"],
    ["overlong path", [{ name: "x", pax: [["path", "n/".repeat(2100)]] }], "image_hostile"],
    ["too deep a path", [{ name: "x", pax: [["path", "n/".repeat(1100)]] }], "image_hostile"],
    [
      "overlong target",
      [{ name: "x", type: "2", pax: [["linkpath", "t".repeat(4096)]] }],
      "image_hostile",
    ],
    ["empty target", [link("x", "")], "image_corrupt"],
  ])("%s", async (_, entries, code) => {
    expect((await refusal(entries)).code).toBe(code);
  });
  test("depth through links is depth too", async () => {
    const deep = "d/".repeat(500);
    const entries: RawEntry[] = [{ name: "x", type: "5", pax: [["path", deep]] }];
    entries.push({ name: "l", type: "2", pax: [["linkpath", deep]] });
    entries.push({ name: "y", type: "5", pax: [["path", `l/${deep}`]] });
    entries.push({ name: "m", type: "2", pax: [["linkpath", `l/${deep}`]] });
    entries.push({ name: "z", pax: [["path", `m/${deep}z`]] });
    expect((await refusal(entries)).code).toBe("image_hostile");
  });
});
