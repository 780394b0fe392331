import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { droppedDirectory } from "../../src/workspace/directories.ts";
import { dispatch } from "../../src/workspace/dispatch.ts";
import { memoryEngine, someDispatch } from "./memory-engine.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-sim-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

test("a host directory is in the guest before the command, and comes back as the guest left it", async () => {
  const { engine } = await memoryEngine(dir, {});
  const [given, back] = [join(dir, "given"), join(dir, "back")];
  await mkdir(join(given, "sub"), { recursive: true });
  await writeFile(join(given, "sub", "a.txt"), "one");
  await mkdir(back);
  await writeFile(join(back, "stale.txt"), "of an earlier run");
  const result = await dispatch(
    engine,
    someDispatch(dir, {
      files: [droppedDirectory({ hostPath: given, guestPath: "/workspace" })],
      fetches: [{ guestPath: "/workspace", hostPath: back }],
      command: { kind: "argv", argv: ["cat", "/workspace/sub/a.txt"] },
    }),
  );
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(result.stdout.text()).toBe("one");
  expect(await readFile(join(back, "sub", "a.txt"), "utf8")).toBe("one");
  expect(await readdir(back)).toEqual(["sub"]);
});

test("a directory that the guest does not have is told by its path, and costs the others nothing", async () => {
  const { engine } = await memoryEngine(dir, { guest: { files: { "/note": "kept" } } });
  const result = await dispatch(
    engine,
    someDispatch(dir, {
      outputs: [{ name: "note", path: "/note" }],
      fetches: [{ guestPath: "/gone", hostPath: join(dir, "gone") }],
    }),
  );
  expect(result.outputs.artifacts.map(({ path }) => path)).toEqual(["note/note"]);
  expect(result.outputs.incomplete).toMatchObject([
    { output: "/gone", error: { code: "guest_file_not_found" } },
  ]);
  expect(await readdir(dir)).not.toContain("gone");
});
