import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { deathSignalWords } from "../../../src/host/death-signal.ts";
import { collectLeases, listLeases, takeLease } from "../../../src/host/lease.ts";
import { identityOf, isAlive, type ProcessIdentity } from "../../../src/host/process-identity.ts";
import { type ChildHandle, spawnChild } from "../../../src/host/spawn-child.ts";
import { ensurePrivateDir, stateLayout } from "../../../src/host/state-layout.ts";
import { type Compiled, compileForNode } from "../../support/compiled.ts";
import { follow } from "../../support/running.ts";

const ownerScript = "test/unit/host/owner-process.ts";
let compiled: Compiled;
let dir: string;
let cleanUp: (() => void)[];

beforeAll(async () => {
  compiled = await compileForNode([ownerScript]);
});
afterAll(async () => {
  await compiled[Symbol.asyncDispose]();
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-child-"));
  cleanUp = [];
});
afterEach(async () => {
  for (const act of cleanUp) act();
  await rm(dir, { recursive: true, force: true });
});

interface Owner {
  readonly process: ChildProcess;
  readonly child: ProcessIdentity;
}

/** Starts a process that owns a child, and returns both. */
async function startOwner(ending: string, deathSignal = "yes"): Promise<Owner> {
  const script = compiled.path(ownerScript);
  const owner = spawn(process.execPath, [script, dir, ending, deathSignal], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  cleanUp.push(() => owner.kill("SIGKILL"));
  const run = follow(owner);
  await run.printed(/\d+\n/);
  const child = identityOf(Number(run.stdout()));
  if (child === null) throw new Error("the owner's child has ended too early");
  cleanUp.push(() => isAlive(child) && process.kill(child.pid, "SIGKILL"));
  return { process: owner, child };
}

async function untilDead(identity: ProcessIdentity): Promise<void> {
  while (isAlive(identity)) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function startSleep(): Promise<ChildHandle> {
  const child = await spawnChild({
    file: "sleep",
    args: ["600"],
    stdio: ["ignore", "ignore", "ignore"],
    parentDeathSignal: true,
  });
  cleanUp.push(() => child.kill());
  return child;
}

describe("spawnChild", () => {
  test.each(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "the child dies when its owner gets %s",
    async (signal) => {
      const owner = await startOwner("wait");
      expect(isAlive(owner.child)).toBe(true);
      const ended = once(owner.process, "exit");
      owner.process.kill(signal);
      expect(await ended).toEqual([null, signal]);
      await untilDead(owner.child);
    },
    20_000,
  );

  test("the exit hook alone is enough for every end but SIGKILL", async () => {
    const owner = await startOwner("wait", "no");
    owner.process.kill("SIGTERM");
    await untilDead(owner.child);
  }, 20_000);

  test("a tool ends when its owner gets SIGKILL", async () => {
    const owner = spawn(process.execPath, [compiled.path(ownerScript), dir, "tool"]);
    cleanUp.push(() => owner.kill("SIGKILL"));
    let tool: ProcessIdentity | null = null;
    while (tool === null) {
      const told = await readFile(join(dir, "tool.pid"), "utf8").catch(() => "");
      tool = told.endsWith("\n") ? identityOf(Number(told)) : null;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const { pid } = tool;
    cleanUp.push(() => isAlive({ ...tool, pid }) && process.kill(pid, "SIGKILL"));
    owner.kill("SIGKILL");
    await untilDead(tool);
  }, 20_000);

  test("a child whose owner died before it could ask for the signal ends by itself", async () => {
    const [setpriv = "", ...words] = await deathSignalWords("KILL");
    // Its parent is this process, not the one it was started for.
    const orphan = [...words.slice(0, -1), "1", "echo", "ran"];
    const run = spawnSync(setpriv, orphan, { encoding: "utf8" });
    expect(run).toMatchObject({ status: 125, stdout: "" });
    const ours = spawnSync(setpriv, [...words, "echo", "ran"], { encoding: "utf8" });
    expect(ours).toMatchObject({ status: 0, stdout: "ran\n" });
  });

  test("exit resolves with the code or the signal", async () => {
    const quick = await spawnChild({
      file: "sh",
      args: ["-c", "exit 7"],
      stdio: ["ignore", "ignore", "ignore"],
      parentDeathSignal: true,
    });
    expect(await quick.exit).toEqual({ code: 7, signal: null });
    expect(quick.exited).toBe(true);
    const slow = await startSleep();
    slow.kill();
    expect(await slow.exit).toEqual({ code: null, signal: "SIGKILL" });
    slow.kill();
  });

  test("kills the whole group", async () => {
    const child = await spawnChild({
      file: "sh",
      args: ["-c", "sleep 600 & echo $!; wait"],
      stdio: ["ignore", "pipe", "ignore"],
      parentDeathSignal: true,
    });
    const stdout = child.stdio[1];
    if (stdout === null || stdout === undefined) throw new Error("no stdout");
    const [text] = (await once(stdout, "data")) as [Buffer];
    const grandchild = identityOf(Number(text.toString()));
    if (grandchild === null) throw new Error("no grandchild");
    child.kill();
    await untilDead(grandchild);
  });

  test("the child sees neither our environment nor a listener more than before", async () => {
    process.env.MICROAGENT_TEST_SECRET = "swordfish";
    cleanUp.push(() => delete process.env.MICROAGENT_TEST_SECRET);
    const listeners = () =>
      ["exit", "SIGINT", "SIGTERM", "SIGHUP"].map((name) => process.listenerCount(name));
    const before = listeners();
    const child = await spawnChild({
      file: "env",
      args: [],
      stdio: ["ignore", "pipe", "ignore"],
      parentDeathSignal: true,
    });
    // What was printed may be read after the end is told.
    const [printed] = await Promise.all([text(child.stdio[1] as Readable), child.exit]);
    expect(printed).toContain("PATH=");
    expect(printed).not.toContain("swordfish");
    expect(listeners()).toEqual(before);
  });

  test("a missing program is an error with the command that installs it", async () => {
    const attempt = spawnChild({
      file: "microagent-no-such-program",
      args: [],
      stdio: "ignore",
      parentDeathSignal: true,
    });
    await expect(attempt).rejects.toMatchObject({
      code: "host_tool_missing",
      hint: expect.stringContaining("apt-get install"),
    });
  });
});

describe("leases", () => {
  test("a dead owner's VMM is killed and its traces removed, once", async () => {
    const owner = await startOwner("wait", "no");
    const layout = stateLayout({ stateDir: dir });
    expect(await listLeases(layout)).toMatchObject([
      { workspace: "w1", ownerAlive: true, vmmAlive: true, vmm: owner.child },
    ]);
    const ended = once(owner.process, "exit");
    owner.process.kill("SIGKILL");
    await ended;
    expect(isAlive(owner.child)).toBe(true);
    expect(await listLeases(layout)).toMatchObject([{ ownerAlive: false, vmmAlive: true }]);
    const both = await withOp("t", {}, (op) =>
      Promise.all([collectLeases(op, layout), collectLeases(op, layout)]),
    );
    expect(both.flat().some((each) => each.killedPid === owner.child.pid)).toBe(true);
    expect(isAlive(owner.child)).toBe(false);
    expect(await listLeases(layout)).toEqual([]);
    expect(await withOp("t", {}, (op) => collectLeases(op, layout))).toEqual([]);
  }, 20_000);

  test("machines of living owners, strangers' processes and other directories stay", async () => {
    const layout = stateLayout({ stateDir: dir });
    const mine = await startSleep();
    const lease = await takeLease(layout, { workspace: "mine", vmm: mine.identity });
    // Killed, because an owner that ends by itself takes its child along before we can look at it.
    const owner = await startOwner("wait", "no");
    owner.process.kill("SIGKILL");
    await once(owner.process, "exit");
    const outside = join(dir, "precious");
    await ensurePrivateDir(outside);
    const stranger = await startSleep();
    if (stranger.identity === null) throw new Error("no identity");
    // The dead owner's lease now names a pid that somebody else got meanwhile, and a path of the user.
    await rewriteLease(layout.leases, "w1", {
      vmm: { ...stranger.identity, startTime: "earlier" },
      runtimeDir: outside,
    });
    const collected = await withOp("t", {}, (op) => collectLeases(op, layout));
    expect(collected).toEqual([{ workspace: "w1", killedPid: null, removedDir: null }]);
    expect(stranger.exited).toBe(false);
    expect(mine.exited).toBe(false);
    expect(identityOf(mine.pid)).toEqual(mine.identity);
    await rm(outside, { recursive: true });
    await lease.release();
    await lease.release();
    expect(await listLeases(layout)).toEqual([]);
  }, 20_000);
});

async function rewriteLease(leases: string, workspace: string, change: object): Promise<void> {
  const { readdir, readFile, writeFile } = await import("node:fs/promises");
  const name = (await readdir(leases)).find((each) => each.startsWith(`${workspace}.`));
  if (name === undefined) throw new Error("no lease");
  const old: unknown = JSON.parse(await readFile(join(leases, name), "utf8"));
  await writeFile(join(leases, name), JSON.stringify(Object.assign({}, old, change)));
}
