import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Agent } from "../../src/agent/agent.ts";
import { randomHex } from "../../src/base/ids.ts";
import type { Op } from "../../src/base/op.ts";
import type {
  HostFacts,
  Machine,
  MachineRequest,
  SavedMachine,
  Snapshots,
} from "../../src/supervisor/port.ts";
import { type BackendUnderTest, during, openBackend } from "./backend-under-test.ts";
import { type Backend, backends } from "./backends.ts";

describe.each(Object.entries(backends))("saved machines of the %s backend", (_name, open) => {
  let tested: BackendUnderTest;
  let dir: string;
  let backend: Backend;
  let host: HostFacts;
  let snapshots: Snapshots;

  beforeAll(async () => {
    tested = await openBackend(open);
    ({ dir, backend, host } = tested);
    if (tested.capabilities.snapshots === null) throw new Error("no snapshots here");
    snapshots = tested.capabilities.snapshots;
  }, 900_000);
  afterEach(() => tested.endMachines());
  afterAll(() => tested.close());

  function start(op: Op, change: Partial<MachineRequest>): Promise<Machine> {
    const name = `saved-${randomHex(4)}`;
    const consolePath = join(dir, `${name}.log`);
    return tested.start(op, { ...backend.request, name, consolePath, ...change });
  }

  async function saveOne(op: Op): Promise<{ into: string; saved: SavedMachine; source: Machine }> {
    const source = await start(op, { saveable: true });
    const agent = await Agent.connect(op, source.link);
    const into = await mkdtemp(join(dir, "into-"));
    const saved = await snapshots.save(op, source, into);
    // The machine that was saved goes on with its session.
    await agent.ping(op);
    return { into, saved, source };
  }

  function from(into: string, saved: SavedMachine) {
    return {
      memory: saved.memory === null ? null : join(into, saved.memory),
      state: join(into, saved.state),
    };
  }

  test("start as often as wanted, paused, and answer a new session", async () => {
    await during(async (op) => {
      const { into, saved } = await saveOne(op);
      const before = await contents(into);
      for (let index = 0; index < 2; index++) {
        const clone = await start(op, { from: from(into, saved) });
        await clone.freezer?.resume(op);
        const agent = await Agent.connect(op, clone.link);
        await agent.ping(op);
      }
      expect(await contents(into)).toEqual(before);
    });
  }, 120_000);

  test("can be saved again from a clone", async () => {
    await during(async (op) => {
      const first = await saveOne(op);
      const clone = await start(op, { from: from(first.into, first.saved) });
      await clone.freezer?.resume(op);
      const agent = await Agent.connect(op, clone.link);
      await agent.ping(op);
      const into = await mkdtemp(join(dir, "again-"));
      const saved = await snapshots.save(op, clone, into);
      await agent.ping(op);
      const second = await start(op, { from: from(into, saved) });
      await second.freezer?.resume(op);
      await (await Agent.connect(op, second.link)).ping(op);
    });
  }, 120_000);

  test("that are broken fail the start with words, and leave nothing", async () => {
    await during(async (op) => {
      const { into, saved } = await saveOne(op);
      const state = await readFile(join(into, saved.state));
      await writeFile(join(into, saved.state), state.subarray(0, state.length / 2));
      await expect(start(op, { from: from(into, saved) })).rejects.toMatchObject({
        code: expect.stringMatching(/^(vmm_failed|store_corrupt)$/),
      });
      await rm(join(into, saved.state));
      await expect(start(op, { from: from(into, saved) })).rejects.toMatchObject({
        code: "store_corrupt",
      });
    });
  }, 120_000);

  test("a directory that cannot be written leaves the machine running", async () => {
    await during(async (op) => {
      const source = await start(op, { saveable: true });
      const agent = await Agent.connect(op, source.link);
      await expect(snapshots.save(op, source, join(dir, "nowhere"))).rejects.toMatchObject({
        code: "store_corrupt",
      });
      await agent.ping(op);
    });
  }, 120_000);

  test("tell apart what they cannot be exchanged between", () => {
    const here = snapshots.fingerprint(backend.request, host);
    expect(snapshots.fingerprint(backend.request, { ...host })).toBe(here);
    expect(snapshots.fingerprint(backend.request, { ...host, vmmVersion: "99.0" })).not.toBe(here);
  });
});

async function contents(dir: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await readdir(dir)).sort()) {
    found[name] = (await readFile(join(dir, name))).toString("base64").slice(0, 4096);
  }
  return found;
}
