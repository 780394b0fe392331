import { mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { singleFileTree } from "../../src/agent/tree.ts";
import { type Op, withOp } from "../../src/base/op.ts";
import { type DispatchResult, dispatch } from "../../src/workspace/dispatch.ts";
import type { Engine } from "../../src/workspace/engine.ts";
import { cloneTemplate } from "../../src/workspace/templates/clone.ts";
import { ensureTemplate } from "../../src/workspace/templates/ensure.ts";
import { openTemplate } from "../../src/workspace/templates/open.ts";
import { openTemplatePool } from "../../src/workspace/templates/pool.ts";
import { listSaved } from "../../src/workspace/templates/store.ts";
import type { TemplateRequest } from "../../src/workspace/templates/template.ts";
import type { Workspace } from "../../src/workspace/workspace.ts";
import type { MemorySupervisor } from "../../supervisors/memory/index.ts";
import { someTemplate } from "../support/boot-request.ts";
import { expectNothingLeft, memoryEngine, someDispatch } from "./memory-engine.ts";

let dir: string;
let engine: Engine;
let supervisor: MemorySupervisor;
/** How often setup has really run. */
let setups: number;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-templates-"));
  setups = 0;
  ({ engine, supervisor } = await memoryEngine(dir, {
    guest: {
      programs: {
        sh: ({ argv, files }) => {
          if (argv[2] !== "install") return 0;
          setups++;
          files.write("/installed", `${setups}`);
          return 0;
        },
        show: async ({ files, stdout }) => {
          await stdout(files.read("/installed") ?? "nothing");
          return 0;
        },
      },
    },
  }));
});
afterEach(async () => {
  await expectNothingLeft(engine, supervisor);
  await rm(dir, { recursive: true, force: true });
});

function during<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("sim", { timeoutMs: 60_000 }, work);
}

function request(change: Partial<TemplateRequest> = {}): TemplateRequest {
  return someTemplate(someDispatch(dir).boot, {
    setup: ["install"],
    setupTimeoutMs: 20_000,
    ...change,
  });
}

function clone(index: number) {
  return { name: `clone-${index}`, hostname: `host-${index}`, bootMs: 20_000 };
}

async function show(op: Op, workspace: Workspace): Promise<string> {
  const result = await workspace.agent.run(op, {
    argv: ["show"],
    env: [],
    cwd: "/",
    user: "root",
    stdin: false,
    tty: null,
    timeoutMs: 5_000,
  });
  return result.stdout.toString();
}

async function run(change = {}): Promise<DispatchResult> {
  return await dispatch(
    engine,
    someDispatch(dir, {
      setup: ["install"],
      command: { kind: "argv", argv: ["show"] },
      ...change,
    }),
  );
}

describe("templates", () => {
  test("are built once, found ever after, and start machines of their own", async () => {
    await during(async (op) => {
      const first = await ensureTemplate(op, engine, request());
      const second = await ensureTemplate(op, engine, request());
      expect([first.built, second.built, first.key === second.key]).toEqual([true, false, true]);
      await using a = await cloneTemplate(op, engine, second, clone(1));
      await using b = await cloneTemplate(op, engine, second, clone(2));
      expect(await Promise.all([show(op, a), show(op, b)])).toEqual(["1", "1"]);
      expect((await a.agent.stat(op, "/etc/hostname")).sizeBytes).toBe("host-1\n".length);
      expect(a.report.template).toMatchObject({ how: "hit", key: first.key });
      expect(setups).toBe(1);
    });
  });

  test.each<[string, Partial<TemplateRequest>]>([
    ["setup", { setup: ["install", "install"] }],
    ["shell", { shell: "/usr/bin/sh" }],
    ["file", { files: [{ guestPath: "/a", tree: () => singleFileTree(Buffer.from("1")) }] }],
    ["environment", { env: { A: "1" } }],
    ["readiness", { ready: { argv: ["true"], timeoutMs: 1_000, everyMs: 10 } }],
  ])("of another %s are other templates", async (_what, change) => {
    await during(async (op) => {
      const { key } = await ensureTemplate(op, engine, request());
      expect((await ensureTemplate(op, engine, request(change))).key).not.toBe(key);
    });
  });

  test.each(["memoryMib", "cpus", "sizeMib"] as const)("of other %s are others", async (field) => {
    await during(async (op) => {
      const plain = request();
      const { key } = await ensureTemplate(op, engine, plain);
      const boot = { ...plain.boot, [field]: plain.boot[field] * 2 };
      expect((await ensureTemplate(op, engine, { ...plain, boot })).key).not.toBe(key);
    });
  });

  test("two builders of the same template build it once", async () => {
    await during(async (op) => {
      const both = await op.together([
        (side) => ensureTemplate(side, engine, request()),
        (side) => ensureTemplate(side, engine, request()),
      ]);
      expect(both.map((each) => each.built).sort()).toEqual([false, true]);
      expect(setups).toBe(1);
    });
  });

  test("a full disk while saving fails the build and leaves nothing", async () => {
    supervisor.control.failNextSave();
    await expect(during((op) => ensureTemplate(op, engine, request()))).rejects.toMatchObject({
      code: "no_space",
    });
    expect(await listSaved(engine.layout.templates)).toEqual([]);
    await during((op) => ensureTemplate(op, engine, request()));
  });

  test("a setup that fails fails the build with its own words", async () => {
    await expect(
      during((op) => ensureTemplate(op, engine, request({ setup: ["false"], shell: "false" }))),
    ).rejects.toMatchObject({ code: "setup_failed" });
    expect(await listSaved(engine.layout.templates)).toEqual([]);
  });

  test("a build that is broken off anywhere leaves nothing, and the next one succeeds", async () => {
    for (let afterMs = 0; afterMs < 30; afterMs += 2) {
      const interrupted = request({ env: { AFTER: `${afterMs}` } });
      const build = withOp("broken off", { timeoutMs: afterMs }, (op) =>
        ensureTemplate(op, engine, interrupted),
      );
      await build.catch(() => {});
      // The undoing goes on for a moment after the op is over.
      await expect.poll(() => supervisor.control.running).toEqual([]);
      await expect.poll(() => readdir(engine.layout.runtime).catch(() => [])).toEqual([]);
    }
    await during((op) => ensureTemplate(op, engine, request({ env: { AFTER: "4" } })));
  });

  test.each<[string, (path: string) => Promise<void>, RegExp]>([
    ["a truncated state", (path) => truncate(join(path, "state"), 10), /has 10 bytes/],
    ["a missing state", (path) => rm(join(path, "state")), /is missing/],
    ["no manifest", (path) => rm(join(path, "template.json")), /no manifest/],
    ["a damaged manifest", (path) => writeFile(join(path, "template.json"), "{}"), /damaged/],
  ])("with %s is built anew, with the reason", async (_what, damage, reason) => {
    await during(async (op) => {
      const { path } = await ensureTemplate(op, engine, request());
      await damage(path);
      const again = await ensureTemplate(op, engine, request());
      expect(again.built).toBe(true);
      expect(again.reason).toMatch(reason);
      expect(setups).toBe(2);
    });
  });

  test("no clone can be started from is built anew, once, and the clone starts", async () => {
    await during(async (op) => {
      const template = await ensureTemplate(op, engine, request());
      supervisor.control.inject({ kind: "start-fails", detail: "the state does not fit" });
      await using workspace = await cloneTemplate(op, engine, template, clone(1));
      expect(workspace.report.template).toMatchObject({
        how: "rebuilt",
        reason: expect.stringContaining("the state does not fit"),
      });
      expect(await show(op, workspace)).toBe("2");
    });
  });

  test("no clone can be started from, and another process built, is removed for the next build", async () => {
    await during(async (op) => {
      const { key } = await ensureTemplate(op, engine, request());
      const opened = await openTemplate(op, engine, { ...request(), buildable: false }, key);
      supervisor.control.inject({ kind: "start-fails", detail: "the state does not fit" });
      await expect(cloneTemplate(op, engine, opened, clone(1))).rejects.toMatchObject({
        code: "template_broken",
      });
      expect(await listSaved(engine.layout.templates)).toEqual([]);
      expect(setups, "nothing was built in its place").toBe(1);
    });
  });

  test("removed while clones are wanted are built anew", async () => {
    await during(async (op) => {
      const template = await ensureTemplate(op, engine, request());
      await rm(template.path, { recursive: true });
      await using workspace = await cloneTemplate(op, engine, template, clone(1));
      expect(await show(op, workspace)).toBe("2");
    });
  });

  test("beyond the cap go, the least recently used first", async () => {
    await during(async (op) => {
      const small: Engine = { ...engine, templateBytesMax: 1 };
      await ensureTemplate(op, small, request());
      const second = await ensureTemplate(op, small, request({ env: { B: "1" } }));
      const left = await listSaved(engine.layout.templates);
      expect(left.map((each) => each.name)).toEqual([second.key]);
    });
  });
});

describe("a pool", () => {
  test("hands clones out at once, makes others, and ends those that wait", async () => {
    await during(async (op) => {
      const template = await ensureTemplate(op, engine, request());
      await using pool = openTemplatePool(engine, template, { size: 2, clone });
      await pool.filled(op);
      expect(pool.readyCount).toBe(2);
      const taken: Workspace[] = [];
      for (let index = 0; index < 5; index++) taken.push(await pool.take(op));
      expect(new Set(taken.map((each) => each.name)).size).toBe(5);
      expect(await Promise.all(taken.map((each) => show(op, each)))).toEqual(Array(5).fill("1"));
      await Promise.all(taken.map((each) => each.close()));
    });
  });

  test("replaces a clone that died while it waited", async () => {
    await during(async (op) => {
      const template = await ensureTemplate(op, engine, request());
      await using pool = openTemplatePool(engine, template, { size: 1, clone });
      await pool.filled(op);
      supervisor.control.kill("clone-0", "SIGKILL");
      await using workspace = await pool.take(op);
      expect(await show(op, workspace)).toBe("1");
    });
  });

  test("lets clones stand as they were saved, and wakes them when they are taken", async () => {
    await during(async (op) => {
      const template = await ensureTemplate(op, engine, request());
      await using pool = openTemplatePool(engine, template, { size: 1, clone, warm: false });
      await pool.filled(op);
      const taken = await pool.takeReady(op);
      expect(taken?.workspace.name).toBe("clone-0");
      expect(await pool.takeReady(op)).toBeNull();
      if (taken === null) return;
      expect(await show(op, taken.workspace)).toBe("1");
      await taken.workspace.close();
    });
  });

  test("makes none without room, hands the room over, and gives it back for others", async () => {
    await during(async (op) => {
      const template = await ensureTemplate(op, engine, request());
      let room = 1;
      const place = async () => {
        if (room === 0) return null;
        room--;
        return { [Symbol.asyncDispose]: async () => void room++ };
      };
      await using pool = openTemplatePool(engine, template, { size: 3, clone, place });
      await pool.filled(op);
      expect(pool.readyCount).toBe(1);
      expect(room).toBe(0);
      expect(await pool.makeWay()).toBe(true);
      expect(await pool.makeWay()).toBe(false);
      expect(room).toBe(1);
      room = 0;
      await expect(pool.takeReady(op)).resolves.toBeNull();
      room = 1;
      await using workspace = await pool.take(op);
      expect(await show(op, workspace)).toBe("1");
    });
  });

  test("that cannot make clones says so to whoever asks, and is closed for good", async () => {
    await during(async (op) => {
      const template = await ensureTemplate(op, engine, request());
      const failing = () => ({ ...clone(0), name: "../no" });
      const pool = openTemplatePool(engine, template, { size: 1, clone: failing });
      await expect(pool.take(op)).rejects.toMatchObject({ code: "invalid_argument" });
      await pool[Symbol.asyncDispose]();
      await expect(pool.take(op)).rejects.toMatchObject({ code: "closed" });
    });
  });
});

describe("dispatch", () => {
  test("spares setup the second time and says so", async () => {
    const first = await run();
    expect(first.template).toMatchObject({ how: "built" });
    expect(first.stdout.text()).toBe("1");
    const second = await run();
    expect(second.termination).toMatchObject({ kind: "exited", exitCode: 0 });
    expect(second.template).toMatchObject({ how: "hit", key: first.template?.key });
    expect(second.stdout.text()).toBe("1");
    expect(setups).toBe(1);
  });

  test("runs setup when templates are off, when there is none, and when there are secrets", async () => {
    const off = await run({ useTemplates: false });
    expect(off.template).toMatchObject({ how: "skipped", key: null });
    const none = await run({ setup: [] });
    expect(none.template).toMatchObject({ how: "skipped", key: null });
    expect(await listSaved(engine.layout.templates)).toEqual([]);
    expect(setups).toBe(1);
  });

  test("goes on without a template when the disk is full", async () => {
    supervisor.control.failNextSave();
    const full = await run();
    expect(full.termination).toMatchObject({ kind: "exited", exitCode: 0 });
    expect(full.template).toMatchObject({
      how: "skipped",
      reason: expect.stringContaining("disk"),
    });
    expect((await run()).template).toMatchObject({ how: "built" });
  });

  test("replaces a template that no machine starts from", async () => {
    await run();
    supervisor.control.inject({ kind: "start-fails", detail: "the state does not fit" });
    const replaced = await run();
    expect(replaced.termination).toMatchObject({ kind: "exited", exitCode: 0 });
    expect(replaced.template).toMatchObject({
      how: "rebuilt",
      reason: expect.stringContaining("does not fit"),
    });
    expect((await run()).template).toMatchObject({ how: "hit" });
    expect(setups).toBe(2);
  });
});
