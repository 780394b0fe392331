import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { singleFileTree } from "../../../src/agent/tree.ts";
import { type Op, withOp } from "../../../src/base/op.ts";
import type { Flags } from "../../../src/spec/flags.ts";
import { collectGarbage } from "../../../src/workspace/garbage.ts";
import { type AttachedWorkspace, attachWorkspace } from "../../../src/workspace/held/attach.ts";
import { cloneWorkspace } from "../../../src/workspace/held/clone.ts";
import {
  deleteWorkspace,
  haltWorkspace,
  killWorkspace,
  waitWorkspace,
} from "../../../src/workspace/held/end.ts";
import { forkLiveWorkspace } from "../../../src/workspace/held/fork.ts";
import { startFromSnapshot, startWorkspace } from "../../../src/workspace/held/start.ts";
import { currentState } from "../../../src/workspace/held/state.ts";
import { inspectWorkspace } from "../../../src/workspace/held/status.ts";
import { listWorkspaces } from "../../../src/workspace/listing.ts";
import { machinesOf, openWorkbench, type Workbench } from "../../fixtures/workbench.ts";
import { createHeld } from "../../support/held-workspace.ts";

let bench: Workbench;

beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

function during<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("live", { timeoutMs: 240_000 }, work);
}

function create(op: Op, name: string, flags: Flags = {}): Promise<void> {
  return createHeld(op, bench.engine, name, { image: bench.image, ...flags });
}

async function sh(op: Op, workspace: AttachedWorkspace, line: string): Promise<string> {
  const result = await workspace.run(op, { argv: ["sh", "-c", line], timeoutMs: 30_000 });
  return `${result.stdout}${result.stderr}`;
}

describe("a workspace that outlives its commands", () => {
  test("keeps its disk from one start to the next, and its setup", async () => {
    await during(async (op) => {
      let said = "";
      await create(op, "kept", { setup: ["echo once >> /setup-ran; echo setting up"] });
      expect((await currentState(bench.layout, "kept")).state).toBe("prepared");
      {
        await using workspace = await startWorkspace(op, bench.engine, "kept", {
          onOutput: (_stream, data) => {
            said += Buffer.from(data).toString();
          },
        });
        await expect(startWorkspace(op, bench.engine, "kept")).rejects.toMatchObject({
          code: "wrong_state",
        });
        expect(await sh(op, workspace, "hostname; echo written > /mine")).toBe("kept\n");
      }
      // The client has gone; the workspace has not.
      expect((await currentState(bench.layout, "kept")).state).toBe("running");
      expect((await haltWorkspace(op, bench.layout, "kept")).state).toBe("halted");
      expect(await machinesOf(bench.stateDir)).toEqual([]);
      await using again = await startWorkspace(op, bench.engine, "kept");
      expect(await sh(op, again, "cat /mine /setup-ran")).toBe("written\nonce\n");
      expect(said).toBe("setting up\n");
      await killWorkspace(op, bench.layout, "kept", "done");
      expect(await deleteWorkspace(op, bench.layout, "kept")).toBe(true);
      expect(await deleteWorkspace(op, bench.layout, "kept")).toBe(false);
    });
  });

  test("takes commands of several clients, files, input, signals and terminals", async () => {
    await during(async (op) => {
      await create(op, "busy", { env: ["FROM_PLAN=plan"] });
      await using one = await startWorkspace(op, bench.engine, "busy");
      await using two = await attachWorkspace(op, bench.layout, "busy");
      const [a, b] = await Promise.all([
        one.run(op, { argv: ["sh", "-c", "echo $FROM_PLAN $EXTRA; exit 3"], env: { EXTRA: "x" } }),
        two.run(op, { argv: ["cat"] }, { stdin: Buffer.alloc(3_000_000, "y") }),
      ]);
      expect([a.exitCode, a.stdout.toString(), b.stdout.length]).toEqual([
        3,
        "plan x\n",
        3_000_000,
      ]);
      await one.put(op, "/in/file", singleFileTree(Buffer.from("hello")));
      expect(await sh(op, two, "cat /in/file")).toBe("hello");
      expect((await two.stat(op, "/in/file")).sizeBytes).toBe(5);
      const slow = await two.exec(op, { argv: ["sleep", "100"] });
      slow.signal("SIGTERM");
      expect(await slow.result).toMatchObject({ status: "signaled", signal: "SIGTERM" });
      const tty = await one.exec(op, {
        argv: ["sh", "-c", "stty size"],
        tty: { rows: 7, cols: 33 },
      });
      let shown = "";
      for await (const { data } of tty.output) shown += Buffer.from(data).toString();
      expect(shown).toContain("7 33");
      await expect(one.exec(op, { argv: ["/none"] })).rejects.toMatchObject({
        code: "exec_not_started",
      });
      await deleteWorkspace(op, bench.layout, "busy", { force: true });
      await expect(two.run(op, { argv: ["true"] })).rejects.toMatchObject({
        code: expect.stringMatching(/wrong_state|workspace_not_found|closed/),
      });
    });
  });

  test("is paused, saved, started from what was saved, and copied", async () => {
    await during(async (op) => {
      await create(op, "first");
      await using first = await startWorkspace(op, bench.engine, "first");
      await sh(
        op,
        first,
        "echo before > /when; (while :; do date +%s > /tmp/alive; sleep 1; done) &",
      );
      await first.pause(op);
      expect((await first.state()).state).toBe("paused");
      await expect(first.run(op, { argv: ["true"] })).rejects.toMatchObject({
        code: "wrong_state",
      });
      await first.resume(op);
      expect(await first.snapshot(op, "good")).toMatchObject({ tag: "good" });
      await expect(first.snapshot(op, "good")).rejects.toMatchObject({ code: "name_taken" });
      await sh(op, first, "echo after > /when; echo more > /more");

      const from = { workspace: "first", tag: "good" };
      await using second = await startFromSnapshot(op, bench.engine, from, "second");
      expect(await sh(op, second, "hostname; cat /when; ls /more 2>&1 | wc -l")).toBe(
        "second\nbefore\n1\n",
      );
      expect(await sh(op, first, "cat /when /more")).toBe("after\nmore\n");
      // Both go on from their own disks.
      for (const name of ["first", "second"]) await haltWorkspace(op, bench.layout, name);
      await using again = await startWorkspace(op, bench.engine, "first");
      expect(await sh(op, again, "cat /when /more")).toBe("after\nmore\n");
      await using other = await startWorkspace(op, bench.engine, "second");
      expect(await sh(op, other, "cat /when; echo two > /two; sync")).toBe("before\n");
      await expect(cloneWorkspace(op, bench.layout, "second", "third")).rejects.toMatchObject({
        code: "wrong_state",
      });
      await haltWorkspace(op, bench.layout, "second");
      await cloneWorkspace(op, bench.layout, "second", "third");
      await using third = await startWorkspace(op, bench.engine, "third");
      expect(await sh(op, third, "hostname; cat /when /two; echo three > /two")).toBe(
        "third\nbefore\ntwo\n",
      );
      await using twice = await startWorkspace(op, bench.engine, "second");
      expect(await sh(op, twice, "cat /two")).toBe("two\n");
      await haltWorkspace(op, bench.layout, "first");
      const nowhere = startWorkspace(op, bench.engine, "first", { fromSnapshot: "none" });
      await expect(nowhere).rejects.toMatchObject({ code: "snapshot_not_found" });
      await using back = await startWorkspace(op, bench.engine, "first", { fromSnapshot: "good" });
      expect(await sh(op, back, "cat /when; ls /more 2>&1 | wc -l")).toBe("before\n1\n");
      const { snapshots, path } = await inspectWorkspace(bench.layout, "first");
      expect(snapshots).toEqual(["good"]);
      expect((await readdir(path)).filter((each) => each.startsWith("machine-"))).toHaveLength(2);
      await haltWorkspace(op, bench.layout, "first");
      expect((await readdir(path)).filter((each) => each.startsWith("machine-"))).toHaveLength(1);
      for (const name of ["first", "second", "third"]) {
        await deleteWorkspace(op, bench.layout, name, { force: true });
      }
    });
  });

  test("is forked while it runs: the copies go on where it was, and so does it", async () => {
    await during(async (op) => {
      await create(op, "trunk");
      await using trunk = await startWorkspace(op, bench.engine, "trunk");
      await sh(
        op,
        trunk,
        "(while :; do date +%s%N > /tmp/next; mv /tmp/next /tmp/alive; sleep 0.2; done) & echo 1 > /own",
      );
      const branches = await forkLiveWorkspace(op, bench.engine, "trunk", ["left", "right"]);
      for (const branch of [...branches, trunk]) {
        const alive = "was=$(cat /tmp/alive); sleep 1; test $was != $(cat /tmp/alive); echo $?";
        const said = await sh(
          op,
          branch,
          `hostname; ${alive}; cat /own; echo ${branch.name} > /own`,
        );
        expect(said).toBe(`${branch.name}\n0\n1\n`);
      }
      const taken = forkLiveWorkspace(op, bench.engine, "trunk", ["fresh", "left"]);
      await expect(taken).rejects.toMatchObject({ code: "name_taken" });
      const { snapshots } = await inspectWorkspace(bench.layout, "trunk");
      expect(snapshots).toEqual([]);
      expect((await listWorkspaces(bench.layout)).map((each) => each.name).sort()).toEqual([
        "left",
        "right",
        "trunk",
      ]);
      for (const branch of branches) branch.close();
      for (const name of ["left", "right", "trunk"]) {
        await deleteWorkspace(op, bench.layout, name, { force: true });
      }
    });
  });

  test("whose process is killed has failed, leaves no machine, and starts again", async () => {
    await during(async (op) => {
      await create(op, "fragile");
      await using workspace = await startWorkspace(op, bench.engine, "fragile");
      await sh(op, workspace, "echo safe > /safe; sync");
      const { holder } = await workspace.state();
      process.kill(holder?.pid ?? 0, "SIGKILL");
      await expect(workspace.run(op, { argv: ["true"] })).rejects.toMatchObject({
        code: "machine_killed",
      });
      await expect.poll(() => machinesOf(bench.stateDir)).toEqual([]);
      expect(await currentState(bench.layout, "fragile")).toMatchObject({
        state: "failed",
        reason: expect.stringContaining("was killed while it was running"),
      });
      expect((await listWorkspaces(bench.layout)).map((each) => each.state)).toEqual(["failed"]);
      await collectGarbage(op, bench.layout);
      await using again = await startWorkspace(op, bench.engine, "fragile");
      expect(await sh(op, again, "cat /safe")).toBe("safe\n");
      await deleteWorkspace(op, bench.layout, "fragile", { halt: true });
    });
  });

  test("ends with its entrypoint, whose result it keeps", async () => {
    await during(async (op) => {
      for (const [name, exec, state] of [
        ["good", "echo out; echo err >&2", "stopped"],
        ["bad", "exit 5", "failed"],
      ] as const) {
        await create(op, name, { exec });
        (await startWorkspace(op, bench.engine, name).catch(() => null))?.close();
        expect((await waitWorkspace(op, bench.layout, name)).state).toBe(state);
      }
      const { result } = await inspectWorkspace(bench.layout, "good");
      expect(result).toMatchObject({ exitCode: 0, stdout: "out\n", stderr: "err\n" });
      const { result: failed, path } = await inspectWorkspace(bench.layout, "bad");
      expect(failed).toMatchObject({ exitCode: 5 });
      expect((await stat(path)).mode & 0o777).toBe(0o700);
      const console = (await inspectWorkspace(bench.layout, "good")).consolePath;
      expect((await readFile(console, "utf8")).length).toBeGreaterThan(0);
      expect((await stat(join(path, "workspace.json"))).mode & 0o777).toBe(0o600);
      for (const name of ["good", "bad"]) await deleteWorkspace(op, bench.layout, name);
    });
  });
});
