import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Op, withOp } from "../../src/base/op.ts";
import type { Flags } from "../../src/spec/flags.ts";
import type { Engine } from "../../src/workspace/engine.ts";
import { attachWorkspace } from "../../src/workspace/held/attach.ts";
import { cloneWorkspace } from "../../src/workspace/held/clone.ts";
import {
  deleteWorkspace,
  haltWorkspace,
  killWorkspace,
  waitWorkspace,
} from "../../src/workspace/held/end.ts";
import { imagesInUse } from "../../src/workspace/held/images-in-use.ts";
import { startFromSnapshot, startWorkspace } from "../../src/workspace/held/start.ts";
import { currentState } from "../../src/workspace/held/state.ts";
import { inspectWorkspace } from "../../src/workspace/held/status.ts";
import { listWorkspaces } from "../../src/workspace/listing.ts";
import type { MemorySupervisor } from "../../supervisors/memory/index.ts";
import { createHeld } from "../support/held-workspace.ts";
import { expectNothingLeft, memoryEngine } from "./memory-engine.ts";

let dir: string;
let engine: Engine;
let supervisor: MemorySupervisor;
/** What setup does. */
let setupCode: number;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-held-"));
  setupCode = 0;
  ({ engine, supervisor } = await memoryEngine(dir, {
    guest: {
      programs: {
        sh: () => setupCode,
        flood: async ({ stdout }) => {
          for (let sent = 0; sent < 64; sent++) await stdout("x".repeat(64 * 1024));
          return 0;
        },
      },
    },
  }));
});
afterEach(async () => {
  for (const name of await readdir(engine.layout.workspaces).catch(() => [])) {
    await during((op) => deleteWorkspace(op, engine.layout, name, { force: true }));
  }
  await expectNothingLeft(engine, supervisor);
  await rm(dir, { recursive: true, force: true });
});

function during<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("sim", { timeoutMs: 60_000 }, work);
}

function create(op: Op, name: string, flags: Flags = {}): Promise<void> {
  return createHeld(op, engine, name, { image: "local/sim", memory: 64, sizeMib: 16, ...flags });
}

const stateOf = (name: string) => currentState(engine.layout, name);

describe("workspaces that outlive their commands", () => {
  test("of two starts at once one wins, and the other is told", async () => {
    await during(async (op) => {
      await create(op, "one");
      const both = await Promise.allSettled([
        startWorkspace(op, engine, "one"),
        startWorkspace(op, engine, "one"),
      ]);
      const [lost] = both.filter((each) => each.status === "rejected");
      expect(both.filter((each) => each.status === "fulfilled")).toHaveLength(1);
      expect(lost?.reason).toMatchObject({ code: "wrong_state" });
      expect(supervisor.control.running).toHaveLength(1);
    });
  });

  test("one that is deleted at its start does not exist, and nothing else is said", async () => {
    await during(async (op) => {
      await create(op, "one");
      const { layout } = engine;
      const launch = async (log: string) => {
        await deleteWorkspace(op, layout, "one", { force: true });
        await writeFile(log, "");
        return await engine.launch(log);
      };
      await expect(startWorkspace(op, { layout, launch }, "one")).rejects.toMatchObject({
        code: "workspace_not_found",
      });
    });
  });

  test("one that never ran is as it was made, and that was not in 1970", async () => {
    await during((op) => create(op, "one"));
    const { record, current } = await inspectWorkspace(engine.layout, "one");
    expect(current.changedAt).toBe(record.createdAt);
  });

  test("of two workspaces of one name one is made", async () => {
    await during(async (op) => {
      const both = await Promise.allSettled([create(op, "one"), create(op, "one")]);
      expect(both.map((each) => each.status).sort()).toEqual(["fulfilled", "rejected"]);
      await expect(create(op, "../evil")).rejects.toMatchObject({ code: "invalid_argument" });
    });
  });

  test("a start that is broken off anywhere leaves no machine, and the next one succeeds", async () => {
    await during((op) => create(op, "one", { setup: ["install"] }));
    for (let afterMs = 1; afterMs < 60; afterMs += 4) {
      const start = withOp("broken off", { timeoutMs: afterMs }, (op) =>
        startWorkspace(op, engine, "one"),
      );
      const started = await start.catch(() => null);
      started?.close();
      // It may have been broken off just after it had succeeded.
      const left = async () => {
        await during((op) => killWorkspace(op, engine.layout, "one", "next"));
        return await readdir(engine.layout.leases).catch(() => []);
      };
      await expect.poll(left).toEqual([]);
      expect(supervisor.control.running).toEqual([]);
    }
    await during(async (op) => {
      await using workspace = await startWorkspace(op, engine, "one");
      expect((await workspace.run(op, { argv: ["true"] })).exitCode).toBe(0);
    });
  });

  test("setup that fails is what the start fails with, and is run again by the next one", async () => {
    await during(async (op) => {
      await create(op, "one", { setup: ["install"] });
      setupCode = 3;
      await expect(startWorkspace(op, engine, "one")).rejects.toMatchObject({
        code: "setup_failed",
      });
      expect(await stateOf("one")).toMatchObject({
        state: "failed",
        holder: null,
        error: { code: "setup_failed" },
      });
      setupCode = 0;
      (await startWorkspace(op, engine, "one")).close();
      expect((await inspectWorkspace(engine.layout, "one")).record.isSetUp).toBe(true);
    });
  });

  test("a guest that panics explains itself to whoever waits for it, and to whoever asks later", async () => {
    await during(async (op) => {
      await create(op, "one");
      await using workspace = await startWorkspace(op, engine, "one");
      const execution = await workspace.exec(op, { argv: ["sleep", "1000"] });
      supervisor.control.panic("one", "out of luck");
      await expect(
        workspace.explaining("running a command", execution.result),
      ).rejects.toMatchObject({ code: "guest_crashed" });
      expect(await waitWorkspace(op, engine.layout, "one")).toMatchObject({
        state: "failed",
        reason: expect.stringContaining("out of luck"),
      });
      await expect(attachWorkspace(op, engine.layout, "one")).rejects.toThrow("out of luck");
    });
  });

  test("a full disk fails the snapshot, and nothing else", async () => {
    await during(async (op) => {
      await create(op, "one");
      await using workspace = await startWorkspace(op, engine, "one");
      supervisor.control.failNextSave();
      await expect(workspace.snapshot(op, "full")).rejects.toMatchObject({ code: "no_space" });
      expect((await workspace.run(op, { argv: ["true"] })).exitCode).toBe(0);
      await workspace.pause(op);
      await workspace.snapshot(op, "whole");
      expect((await workspace.state()).state).toBe("paused");
      const from = { workspace: "one", tag: "whole" };
      await using other = await startFromSnapshot(op, engine, from, "two");
      expect((await other.run(op, { argv: ["true"] })).exitCode).toBe(0);
      await expect(
        startFromSnapshot(op, engine, { ...from, tag: "none" }, "three"),
      ).rejects.toMatchObject({ code: "snapshot_not_found" });
      expect(await readdir(engine.layout.workspaces)).toEqual(["one", "two"]);
    });
  });

  test("what a guest floods is taken as fast as it is read, and kept within its bound", async () => {
    await during(async (op) => {
      await create(op, "one");
      await using workspace = await startWorkspace(op, engine, "one");
      const kept = await workspace.run(op, { argv: ["flood"] }, { stdoutLimit: 1000 });
      expect([kept.stdout.length, kept.stdoutTruncated]).toEqual([1000, true]);
    });
  });

  test("connections that talk nonsense, or say nothing, disturb nobody", async () => {
    await during(async (op) => {
      await create(op, "one");
      await using workspace = await startWorkspace(op, engine, "one");
      const path = join(engine.layout.workspaces, "one", "control.sock");
      const said = ["", "nonsense\n", 'MICROAGENT {"v":1,"session":"x"}\n\0\0\0\0junk'];
      const sockets = said.map((text) => {
        const socket = connect({ path }).on("error", () => {});
        socket.write(text);
        return socket;
      });
      expect((await workspace.run(op, { argv: ["true"] })).exitCode).toBe(0);
      for (const socket of sockets) socket.destroy();
      await using another = await attachWorkspace(op, engine.layout, "one");
      const asked = await another.agent.relay(op, { op: "hold.explode" });
      const answer = Buffer.from((await asked.read(op)) ?? []).toString();
      expect(JSON.parse(answer)).toMatchObject({ ok: false, error: { code: "invalid_argument" } });
      const poweroff = await another.agent.relay(op, { op: "poweroff", grace_ms: 1 });
      expect(Buffer.from((await poweroff.read(op)) ?? []).toString()).toContain("no such verb");
    });
  });

  test("is deleted when it does not run, or when that is said, and copied when it does not", async () => {
    await during(async (op) => {
      await create(op, "one");
      await using workspace = await startWorkspace(op, engine, "one");
      await expect(deleteWorkspace(op, engine.layout, "one")).rejects.toMatchObject({
        code: "wrong_state",
        hint: expect.stringContaining("--yes"),
      });
      await expect(cloneWorkspace(op, engine.layout, "one", "two")).rejects.toMatchObject({
        code: "wrong_state",
      });
      await haltWorkspace(op, engine.layout, "one", { reason: "enough" });
      expect(await stateOf("one")).toMatchObject({ state: "halted", reason: "enough" });
      await expect(workspace.run(op, { argv: ["true"] })).rejects.toMatchObject({
        code: "wrong_state",
      });
      await expect(cloneWorkspace(op, engine.layout, "one", "one")).rejects.toMatchObject({
        code: "name_taken",
      });
    });
  });

  test("a damaged record is told, listed as failed, and goes when somebody insists", async () => {
    await during(async (op) => {
      await create(op, "one");
      expect([...(await imagesInUse(engine.layout))]).toEqual(["sha256:0"]);
      await writeFile(join(engine.layout.workspaces, "one", "workspace.json"), '{"record":{}}');
      expect((await imagesInUse(engine.layout)).size).toBe(0);
      expect(await listWorkspaces(engine.layout)).toMatchObject([{ name: "one", state: "failed" }]);
      await expect(startWorkspace(op, engine, "one")).rejects.toMatchObject({
        code: "store_corrupt",
      });
      await expect(deleteWorkspace(op, engine.layout, "one")).rejects.toMatchObject({
        code: "store_corrupt",
      });
      expect(await deleteWorkspace(op, engine.layout, "one", { force: true })).toBe(true);
    });
  });
});
