import { chmod, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { whyForeign } from "../../../src/host/own-directory.ts";
import { ensurePrivateDir, stateLayout } from "../../../src/host/state-layout.ts";

describe("a directory of user 1000", () => {
  test.each([
    [{ uid: 1000, gid: 1000, mode: 0o40700 }, null],
    [{ uid: 1000, gid: 50, mode: 0o40755 }, null],
    [{ uid: 0, gid: 0, mode: 0o40755 }, null],
    [{ uid: 1000, gid: 1000, mode: 0o40775 }, null],
    [{ uid: 1000, gid: 50, mode: 0o40775 }, /mode 0775 for group 50/],
    [{ uid: 1000, gid: 1000, mode: 0o40777 }, /mode 0777/],
    [{ uid: 0, gid: 0, mode: 0o41777 }, /mode 1777/],
    [{ uid: 1001, gid: 1000, mode: 0o40700 }, /user 1001: expected user 1000/],
  ])("with %j is trusted or not", (facts, reason) => {
    const found = whyForeign(facts, 1000);
    if (reason === null) expect(found).toBeNull();
    else expect(found).toMatch(reason);
  });

  test("is none that root puts his state into", () => {
    expect(whyForeign({ uid: 1000, gid: 1000, mode: 0o40700 }, 0)).toMatch(/user 1000/);
    expect(whyForeign({ uid: 0, gid: 1000, mode: 0o40770 }, 0)).toMatch(/group 1000/);
  });
});

describe("a state directory in which others can write", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "own-directory-"));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(dir, { recursive: true, force: true });
  });
  const refused = (path: string) => ({
    code: "invalid_argument",
    message: expect.stringContaining(`Directory "${path}" has mode 0777`),
    hint: expect.stringContaining("chmod go-w"),
  });

  test("is refused before anything in it is believed, also behind a link and as a cache", async () => {
    const open = join(dir, "open");
    const link = join(dir, "link");
    await mkdir(open);
    await chmod(open, 0o777);
    await symlink(open, link);
    expect(() => stateLayout({ stateDir: open })).toThrow(expect.objectContaining(refused(open)));
    expect(() => stateLayout({ stateDir: link })).toThrow(expect.objectContaining(refused(link)));
    vi.stubEnv("MICROAGENT_CACHE_DIR", open);
    const own = { stateDir: join(dir, "own") };
    expect(() => stateLayout(own)).toThrow(expect.objectContaining(refused(open)));
    await chmod(open, 0o755);
    expect(stateLayout(own)).toMatchObject({ images: join(open, "images") });
  });

  test("is refused below the state as well", async () => {
    const locks = join(dir, "locks");
    await mkdir(locks);
    await chmod(locks, 0o777);
    await expect(ensurePrivateDir(locks)).rejects.toMatchObject(refused(locks));
    await ensurePrivateDir(join(dir, "new", "below"));
  });
});
