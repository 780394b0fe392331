import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { sweepLocks } from "../../../src/host/lock.ts";
import {
  identityOf,
  identityTag,
  isTaggedByDead,
  ownIdentity,
  type ProcessIdentity,
} from "../../../src/host/process-identity.ts";

async function deadProcess(): Promise<ProcessIdentity> {
  const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"]);
  await once(child, "spawn");
  const identity = identityOf(child.pid ?? 0);
  child.kill("SIGKILL");
  await once(child, "close");
  if (identity === null) throw new Error("The process could not be looked at");
  return identity;
}

test("a name tells whether the one who gave it is dead, and says nothing of strangers", async () => {
  const dead = await deadProcess();
  expect(isTaggedByDead(`base-${identityTag(dead)}-Ab3dE9`)).toBe(true);
  expect(isTaggedByDead(`x.lock.${identityTag(dead)}.00ff.claim`)).toBe(true);
  expect(isTaggedByDead(`base-${identityTag(ownIdentity())}-Ab3dE9`)).toBe(false);
  // The same number, begun at another time: not the same process.
  const earlier = identityTag({ ...ownIdentity(), startTime: "1" });
  expect(isTaggedByDead(`base-${earlier}-Ab3dE9`)).toBe(true);
  expect(isTaggedByDead(`base-${identityTag({ ...dead, bootId: "another" })}-Ab3dE9`)).toBe(false);
  expect(isTaggedByDead("base-Ab3dE9")).toBe(false);
});

test("a claim that was made and never written goes with its dead owner, and only with him", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-locks-"));
  try {
    const dead = `a.lock.${identityTag(await deadProcess())}.0011223344556677.claim`;
    const ours = `a.lock.${identityTag(ownIdentity())}.0011223344556677.claim`;
    await writeFile(join(dir, dead), "");
    await writeFile(join(dir, ours), "");
    await withOp("test", {}, (op) => sweepLocks(op, dir));
    expect(await readdir(dir)).toEqual([ours]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
