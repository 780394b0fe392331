import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withOp } from "../../../../src/base/op.ts";
import { stateLayout } from "../../../../src/host/state-layout.ts";
import { collectGarbage } from "../../../../src/workspace/garbage.ts";
import { passingTag } from "../../../../src/workspace/templates/passing.ts";

test("snapshots that a process made for itself go when it has gone, and no others", async () => {
  const dir = await mkdtemp(join(tmpdir(), "passing-"));
  try {
    const layout = stateLayout({ stateDir: dir });
    const own = passingTag();
    const { pid } = spawnSync("true");
    const dead = own.replace(/^passing-\d+/, `passing-${pid}`);
    expect(dead).not.toBe(own);
    for (const name of [own, dead, "by-hand"]) {
      await mkdir(join(layout.snapshots, name), { recursive: true });
    }
    await withOp("gc", {}, (op) => collectGarbage(op, layout));
    expect((await readdir(layout.snapshots)).sort()).toEqual(["by-hand", own].sort());
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
