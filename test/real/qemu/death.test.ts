import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { randomHex } from "../../../src/base/ids.ts";
import { identityOf, isAlive, type ProcessIdentity } from "../../../src/host/process-identity.ts";
import { countProcesses } from "../../contract/backends.ts";
import { type BootKit, bootKit } from "../../support/boot-kit.ts";
import { type Compiled, compileForNode } from "../../support/compiled.ts";
import { follow } from "../../support/running.ts";

const ownerScript = "test/real/qemu/owner.ts";
let compiled: Compiled;
let kit: BootKit;
let dir: string;
let name: string;
let owner: ChildProcess | null = null;

beforeAll(async () => {
  compiled = await compileForNode([ownerScript]);
  kit = await bootKit();
});
afterAll(async () => {
  await compiled[Symbol.asyncDispose]();
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-death-"));
  name = `death-${randomHex(4)}`;
});
afterEach(async () => {
  owner?.kill("SIGKILL");
  await rm(dir, { recursive: true, force: true });
});

function spawnOwner(ending: string): ChildProcess {
  const args = [JSON.stringify({ ...kit, name }), join(dir, "console.log"), ending];
  const child = spawn(process.execPath, [compiled.path(ownerScript), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  owner = child;
  return child;
}

/** A process that owns a booted machine, and the machine's QEMU. */
async function startOwner(
  ending: string,
): Promise<{ process: ChildProcess; qemu: ProcessIdentity }> {
  const child = spawnOwner(ending);
  const run = follow(child);
  await run.printed(/\d+\n/);
  const qemu = identityOf(Number(run.stdout()));
  if (qemu === null) throw new Error("QEMU has ended too early");
  return { process: child, qemu };
}

async function untilGone(): Promise<void> {
  while ((await countProcesses(name)) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe("QEMU does not outlive its owner", () => {
  test("that gets SIGKILL", async () => {
    const { process: child, qemu } = await startOwner("wait");
    expect(isAlive(qemu)).toBe(true);
    child.kill("SIGKILL");
    await untilGone();
    expect(isAlive(qemu)).toBe(false);
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("that gets %s", async (signal) => {
    const { process: child } = await startOwner("wait");
    const ended = once(child, "exit");
    child.kill(signal);
    expect(await ended).toEqual([null, signal]);
    await untilGone();
  });

  test.each(["exit", "throw"])("that ends by %s without tidying up", async (ending) => {
    const child = spawnOwner(ending);
    const [code] = await once(child, "exit");
    expect(code).toBe(ending === "exit" ? 0 : 1);
    await untilGone();
  });

  test("that gets SIGKILL at any moment of the start", async () => {
    for (let delayMs = 60; delayMs <= 300; delayMs += 30) {
      const child = spawnOwner("wait");
      const ended = once(child, "exit");
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      child.kill("SIGKILL");
      await ended;
      await untilGone();
    }
  });
});
