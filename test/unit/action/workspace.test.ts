import { execFileSync } from "node:child_process";
import { chmod, cp, lstat, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { stageCheckout } from "../../../action/checkout.ts";
import { workspaceCopyBack, workspacePatch } from "../../../action/workspace-back.ts";
import { temporary } from "./temporary.ts";

function git(cwd: string, ...words: string[]): string {
  const identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
  return execFileSync("git", [...identity, ...words], { cwd, encoding: "utf8", stdio: "pipe" });
}

async function write(dir: string, files: Readonly<Record<string, string | Uint8Array>>) {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), content);
  }
}

async function exists(...path: string[]): Promise<boolean> {
  return await lstat(join(...path)).then(
    () => true,
    () => false,
  );
}

/** A checkout, what the guest got of it, and what came back, the same at first. */
async function roundTrip(files: Readonly<Record<string, string | Uint8Array>>) {
  const held = await temporary();
  const dirs = { work: "work", given: "given", back: "back" };
  const at = (name: keyof typeof dirs) => join(held.dir, dirs[name]);
  await mkdir(at("work"));
  git(at("work"), "init", "-q");
  await write(at("work"), files);
  git(at("work"), "add", "-A");
  git(at("work"), "commit", "-qm", "x");
  await stageCheckout(at("work"), at("given"), []);
  await cp(at("given"), at("back"), { recursive: true });
  await rm(join(at("back"), ".git"), { recursive: true });
  return {
    work: at("work"),
    given: at("given"),
    back: at("back"),
    patch: join(held.dir, "x.patch"),
    dir: held.dir,
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  };
}

test("the copy has what git would have, and neither ignored files, nor hooks, nor tokens", async () => {
  await using trip = await roundTrip({ "a.txt": "1", ".gitignore": "*.env\nbuilt/\n" });
  const { work } = trip;
  await write(work, { "new.txt": "2", "key.env": "SECRET", "built/x": "y", "skip/me.txt": "z" });
  await write(work, { ".git/hooks/pre-commit": "evil", ".git/credentials": "TOKEN" });
  git(work, "config", "http.https://github.com/.extraheader", "AUTHORIZATION: basic TOKEN");
  await symlink("/etc/passwd", join(work, "outside"));
  const target = join(trip.dir, "copy");
  expect(await stageCheckout(work, target, ["skip", "new.*"])).toBe(3);
  for (const path of ["a.txt", ".gitignore", ".git/HEAD"])
    expect(await exists(target, path), path).toBe(true);
  for (const path of ["key.env", "built/x", "skip/me.txt", "new.txt", ".git/hooks/pre-commit"])
    expect(await exists(target, path), path).toBe(false);
  expect((await lstat(join(target, "outside"))).isSymbolicLink()).toBe(true);
  expect(await readFile(join(target, ".git", "config"), "utf8")).not.toContain("TOKEN");
  expect(git(target, "status", "--porcelain", "a.txt")).toBe("");
  await stageCheckout(work, target, [".git"]);
  expect(await exists(target, ".git")).toBe(false);
});

test("submodules come along, without what is theirs in git", async () => {
  await using trip = await roundTrip({ "a.txt": "1" });
  const inner = join(trip.dir, "inner");
  await mkdir(inner);
  git(inner, "init", "-q");
  await write(inner, { "deep/b.txt": "2" });
  git(inner, "add", "-A");
  git(inner, "commit", "-qm", "x");
  git(trip.work, "-c", "protocol.file.allow=always", "submodule", "add", "-q", inner, "sub");
  const target = join(trip.dir, "copy");
  await stageCheckout(trip.work, target, []);
  expect(await readFile(join(target, "sub", "deep", "b.txt"), "utf8")).toBe("2");
  expect(await exists(target, "sub", ".git")).toBe(false);
});

test("a directory without git is copied whole, a broken repository not at all", async () => {
  await using held = await temporary();
  const plain = join(held.dir, "plain");
  await write(plain, { "a/b.txt": "1", ".hidden": "2" });
  expect(await stageCheckout(plain, join(held.dir, "to"), [])).toBe(2);
  await write(plain, { ".git/HEAD": "nonsense" });
  await expect(stageCheckout(plain, join(held.dir, "to"), [])).rejects.toThrow(
    "Git cannot list the files of the checkout",
  );
});

test("a patch carries every change, byte by byte, and applies", async () => {
  const latin = Uint8Array.from([0x63, 0x61, 0x66, 0xe9, 0x0a]);
  const crlf = "one\r\ntwo\r\n";
  await using trip = await roundTrip({
    "a.txt": "one\n",
    "gone.txt": "x\n",
    "latin.txt": latin,
    "crlf.txt": crlf,
    "run.sh": "echo\n",
    "dir/file": "in a directory\n",
    "was-file": "x\n",
    ".gitattributes": "* text=auto\n*.txt diff=evil\n",
  });
  const { back } = trip;
  const more = Uint8Array.from([...latin, 0xe8, 0x0a]);
  await write(back, {
    "a.txt": "one\ntwo",
    "n w/é.txt": "new\n",
    "latin.txt": more,
    "crlf.txt": `${crlf}three\r\n`,
    "bin.dat": Uint8Array.from([0, 1, 2, 255]),
    empty: "",
  });
  await rm(join(back, "gone.txt"));
  await chmod(join(back, "run.sh"), 0o755);
  await rm(join(back, "dir"), { recursive: true });
  await write(back, { dir: "now a file\n" });
  await rm(join(back, "was-file"));
  await write(back, { "was-file/inside": "now a directory\n" });
  expect(await workspacePatch(trip.given, back, trip.patch)).toBe(true);
  git(trip.work, "apply", trip.patch);
  for (const path of [
    "a.txt",
    "n w/é.txt",
    "latin.txt",
    "crlf.txt",
    "bin.dat",
    "empty",
    "dir",
    "was-file/inside",
  ])
    expect(await readFile(join(trip.work, path)), path).toEqual(await readFile(join(back, path)));
  expect(await exists(trip.work, "gone.txt")).toBe(false);
  expect((await lstat(join(trip.work, "run.sh"))).mode & 0o111).toBe(0o111);
});

test("without a change there is no patch, and links count as unchanged", async () => {
  await using trip = await roundTrip({ "a.txt": "1" });
  await symlink("a.txt", join(trip.given, "link"));
  expect(await workspacePatch(trip.given, trip.back, trip.patch)).toBe(false);
});

test.each([
  ".git/hooks/post-checkout",
  ".GIT/config",
  ".github/workflows/x.yml",
  ".GitHub/x",
  "deep/.git/config",
  "a/.github/y",
])("%s never comes back", async (path) => {
  await using trip = await roundTrip({ "a.txt": "1" });
  await write(trip.back, { [path]: "evil\n" });
  expect(await workspacePatch(trip.given, trip.back, trip.patch)).toBe(false);
  expect(await workspaceCopyBack(trip.given, trip.back, trip.work)).toBe(1);
  expect(await readFile(join(trip.work, path), "utf8").catch(() => "")).not.toContain("evil");
});

test("copying back writes and removes in the checkout only, wherever its links lead", async () => {
  await using trip = await roundTrip({
    "a.txt": "1",
    "gone.txt": "x",
    "dir/file": "x",
    "was-file": "x",
    "d2/x": "x",
  });
  const outside = join(trip.dir, "outside");
  await write(outside, { victim: "untouched", x: "untouched" });
  // Links that somebody put into the checkout after it was copied.
  await symlink(outside, join(trip.work, "out"));
  await symlink(join(outside, "victim"), join(trip.work, "to-victim"));
  await rm(join(trip.work, "d2"), { recursive: true });
  await symlink(outside, join(trip.work, "d2"));
  await write(trip.back, {
    "a.txt": "2",
    "out/victim": "changed",
    "to-victim": "changed",
    "was-file/inside": "now a directory",
  }).catch(async () => {
    await rm(join(trip.back, "was-file"));
    await write(trip.back, { "was-file/inside": "now a directory" });
  });
  await rm(join(trip.back, "dir"), { recursive: true });
  await write(trip.back, { dir: "now a file" });
  await rm(join(trip.back, "gone.txt"));
  await rm(join(trip.back, "d2"), { recursive: true });
  await workspaceCopyBack(trip.given, trip.back, trip.work);
  expect(await readFile(join(outside, "victim"), "utf8")).toBe("untouched");
  expect(await readFile(join(outside, "x"), "utf8")).toBe("untouched");
  for (const [path, content] of [
    ["a.txt", "2"],
    ["out/victim", "changed"],
    ["to-victim", "changed"],
    ["was-file/inside", "now a directory"],
    ["dir", "now a file"],
  ] as const)
    expect(await readFile(join(trip.work, path), "utf8"), path).toBe(content);
  expect(await exists(trip.work, "gone.txt")).toBe(false);
});
