import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Clock, type Progress, realClock, withOp } from "../../../src/base/op.ts";
import { sweepLocks, withLock } from "../../../src/host/lock.ts";
import { ownIdentity } from "../../../src/host/process-identity.ts";
import { type Compiled, compileForNode } from "../../support/compiled.ts";

const contender = "test/unit/host/lock-contender.ts";
/** Ten minutes of it pass in three seconds. */
const quickClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now() * 200,
  after: (ms, callback) => realClock.after(ms / 200, callback),
};
/** Time passes by sleeping alone, so that a busy host cannot let the bound strike before the lock gives up. */
function sleepersClock(boundMs: number): Clock {
  let passedMs = 0;
  return {
    now: () => Date.now(),
    monotonic: () => passedMs,
    after(ms, callback) {
      if (ms >= boundMs) return () => {};
      return realClock.after(0, () => {
        passedMs += ms;
        callback();
      });
    },
  };
}
let compiled: Compiled;
let dir: string;
let children: ChildProcess[];

beforeAll(async () => {
  compiled = await compileForNode([contender]);
});
afterAll(async () => {
  await compiled[Symbol.asyncDispose]();
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-lock-"));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(dir, { recursive: true, force: true });
});

function start(rounds: number, mode = ""): ChildProcess {
  const args = [join(dir, "a.lock"), join(dir, "occupied"), join(dir, "log"), String(rounds), mode];
  const child = spawn(process.execPath, [compiled.path(contender), ...args], { stdio: "inherit" });
  children.push(child);
  return child;
}

async function logLines(): Promise<string[]> {
  const text = await readFile(join(dir, "log"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("withLock", () => {
  test("gives the lock to one process at a time, whoever is killed meanwhile", async () => {
    const survivors = Array.from({ length: 4 }, () => start(25));
    const ended = survivors.map((child) => once(child, "exit"));
    for (let victim = 0; victim < 6; victim++) {
      const child = start(1_000);
      const gone = once(child, "exit");
      await until(async () => (await logLines()).includes(`enter ${child.pid}`));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
      child.kill("SIGKILL");
      await gone;
    }
    const codes = (await Promise.all(ended)).map(([code]) => code);
    expect(codes).toEqual([0, 0, 0, 0]);
    const lines = await logLines();
    expect(lines.filter((line) => line.startsWith("overlap"))).toEqual([]);
    for (const child of survivors) {
      expect(lines.filter((line) => line === `enter ${child.pid}`)).toHaveLength(25);
    }
    // Who is killed between making and filling a claim leaves one that names nobody: it has to get old.
    const longAgo = new Date(Date.now() - 3_600_000);
    for (const name of await readdir(dir)) await utimes(join(dir, name), longAgo, longAgo);
    await withOp("t", {}, (op) => sweepLocks(op, dir));
    expect((await readdir(dir)).filter((name) => name.startsWith("a.lock"))).toEqual([]);
  }, 60_000);

  test("lets only one of many contenders break a stale lock", async () => {
    const ended = Array.from({ length: 5 }, () => once(start(60, "plant"), "exit"));
    expect((await Promise.all(ended)).map(([code]) => code)).toEqual([0, 0, 0, 0, 0]);
    const lines = await logLines();
    expect(lines.filter((line) => line.startsWith("overlap"))).toEqual([]);
    expect(lines).toHaveLength(300);
  }, 60_000);

  test("takes over from a holder that was killed", async () => {
    const child = start(1, "die-inside");
    await until(async () => (await logLines()).length === 1);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(existsSync(join(dir, "a.lock"))).toBe(true);
    const result = await withOp("t", { timeoutMs: 10_000 }, (op) =>
      withLock(op, join(dir, "a.lock"), async () => "mine"),
    );
    expect(result).toBe("mine");
    expect(existsSync(join(dir, "a.lock"))).toBe(false);
  }, 20_000);

  test("waits for a living holder with a note, then fails naming it", async () => {
    const child = start(1, "die-inside");
    await until(async () => (await logLines()).length === 1);
    const notes: Progress[] = [];
    const attempt = withOp(
      "t",
      { timeoutMs: 900, clock: sleepersClock(900), onProgress: (e) => notes.push(e) },
      (op) =>
        withLock(op, join(dir, "a.lock"), async () => "mine", { waitNote: "Waiting for the pull" }),
    );
    await expect(attempt).rejects.toMatchObject({
      code: "lock_timeout",
      details: { holderPid: child.pid },
    });
    expect(notes).toContainEqual(
      expect.objectContaining({
        kind: "note",
        text: `Waiting for the pull (process ${child.pid})`,
      }),
    );
  }, 20_000);

  test("releases after a failure of the work and passes the failure on", async () => {
    const path = join(dir, "a.lock");
    const attempt = withOp("t", {}, (op) =>
      withLock(op, path, async () => {
        throw new Error("work failed");
      }),
    );
    await expect(attempt).rejects.toThrow("work failed");
    expect(await readdir(dir)).toEqual([]);
  });

  test("excludes two users within one process", async () => {
    const path = join(dir, "a.lock");
    let inside = 0;
    let most = 0;
    await withOp("t", { timeoutMs: 20_000 }, (op) =>
      Promise.all(
        Array.from({ length: 20 }, () =>
          withLock(op, path, async () => {
            inside++;
            most = Math.max(most, inside);
            await op.sleep(1);
            inside--;
          }),
        ),
      ),
    );
    expect(most).toBe(1);
  }, 30_000);

  test("respects a foreign owner until its heartbeat is old and stays away", async () => {
    const path = join(dir, "a.lock");
    const owner = { ...ownIdentity(), bootId: "another boot" };
    await writeFile(path, JSON.stringify({ owner, nonce: "n" }));
    const attempt = (timeoutMs: number, clock = sleepersClock(timeoutMs)) =>
      withOp("t", { timeoutMs, clock }, (op) => op.race(withLock(op, path, async () => "mine")));
    await expect(attempt(300)).rejects.toMatchObject({ code: "lock_timeout" });
    // Old by the wall clock only, as after a jump: the next beat may come any moment.
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(path, longAgo, longAgo);
    await expect(attempt(300)).rejects.toMatchObject({ code: "lock_timeout" });
    expect(await attempt(600_000, quickClock)).toBe("mine");
  });

  test("a lock from the future is silent too, once it was watched for longer", async () => {
    const path = join(dir, "a.lock");
    await writeFile(path, "");
    const later = new Date(Date.now() + 3_600_000);
    await utimes(path, later, later);
    const attempt = (timeoutMs: number) =>
      withOp("t", { timeoutMs, clock: quickClock }, (op) =>
        op.race(withLock(op, path, async () => "mine")),
      );
    await expect(attempt(30_000)).rejects.toMatchObject({ code: expect.stringMatching("timeout") });
    expect(await attempt(600_000)).toBe("mine");
  });

  test("an unreadable lock file counts as foreign", async () => {
    const path = join(dir, "a.lock");
    await writeFile(path, "");
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(path, longAgo, longAgo);
    expect(
      await withOp("t", { clock: quickClock }, (op) => withLock(op, path, async () => "mine")),
    ).toBe("mine");
  });
});
