import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Op, withOp } from "../../../src/base/op.ts";
import { dialUnix, listenUnix } from "../../../src/host/unix-socket.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-socket-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

function during<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("socket", { timeoutMs: 10_000 }, work);
}

describe("a Unix socket", () => {
  // The address of a socket holds about a hundred bytes; directories may be deeper.
  test.each([
    ["of a short path", "s"],
    ["of a path longer than an address", `${"deep/".repeat(40)}s`],
  ])("%s is reached, is this user's alone, and goes with its listener", async (_what, name) => {
    const path = join(dir, name);
    await mkdir(join(path, ".."), { recursive: true });
    await during(async (op) => {
      const listener = await listenUnix(op, path, (socket) => {
        socket.resume();
        socket.end("hello");
      });
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      const socket = await dialUnix(op, path);
      let heard = "";
      for await (const bytes of socket) heard += String(bytes);
      expect(heard).toBe("hello");
      await listener.close();
      expect(await readdir(join(path, ".."))).toEqual([]);
      await expect(dialUnix(op, path)).rejects.toMatchObject({ code: "ENOENT" });
    });
  });

  test("replaces one that a killed process has left", async () => {
    const path = join(dir, "s");
    await during(async (op) => {
      const stale = await listenUnix(op, path, () => {});
      const listener = await listenUnix(op, path, (socket) => void socket.end());
      (await dialUnix(op, path)).destroy();
      await listener.close();
      await stale.close();
    });
  });
});
