import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Agent } from "../../src/agent/agent.ts";
import { randomHex } from "../../src/base/ids.ts";
import { type Op, withOp } from "../../src/base/op.ts";
import type { HostFacts, Machine, MachineRequest } from "../../src/supervisor/port.ts";
import { type BackendUnderTest, during, openBackend } from "./backend-under-test.ts";
import { type Backend, backends } from "./backends.ts";

const ran = new Set<string>();

afterAll(() => {
  expect([...ran].sort()).toEqual(["memory", "qemu"]);
});

describe.each(Object.entries(backends))("the %s backend", (name, open) => {
  let tested: BackendUnderTest;
  let dir: string;
  let backend: Backend;
  let host: HostFacts;

  beforeAll(async () => {
    tested = await openBackend(open);
    ({ dir, backend, host } = tested);
  }, 900_000);
  afterEach(() => tested.endMachines());
  afterAll(() => tested.close());

  function start(op: Op, request: MachineRequest = backend.request): Promise<Machine> {
    return tested.start(op, { ...request, name: `contract-${randomHex(4)}` });
  }

  test("probes alike twice and explains its acceleration", async () => {
    ran.add(name);
    const again = await during((op) => backend.supervisor.probe(op, backend.probeRequest));
    expect(again).toMatchObject({ ok: true, host });
    expect(host.accelReason).toMatch(/^[A-Z/].*[^.]$/);
  });

  test("plans purely: frozen input, equal output, nothing but data", () => {
    const request = deepFreeze(structuredClone(backend.request));
    const plan = backend.supervisor.plan(request, deepFreeze(structuredClone(host)));
    expect(backend.supervisor.plan(structuredClone(request), host)).toEqual(plan);
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  test.each<[string, Partial<MachineRequest>]>([
    ["name", { name: "../x" }],
    ["memory", { memoryMib: 0.5 }],
    ["CPU count", { cpus: 0 }],
  ])("refuses a bad %s while planning", (_what, change) => {
    expect(() => backend.supervisor.plan({ ...backend.request, ...change }, host)).toThrow(
      expect.objectContaining({ code: "invalid_argument" }),
    );
  });

  test("boots a guest whose agent answers, and ends it on request", async () => {
    await during(async (op) => {
      const machine = await start(op);
      const agent = await Agent.connect(op, machine.link);
      await agent.ping(op);
      const exit = await machine.kill("enough");
      expect(exit).toMatchObject({ kind: "requested", reason: "enough" });
      expect(await machine.exit).toEqual(exit);
      expect(await machine.kill("again")).toEqual(exit);
      expect((await agent.closed).code).toBe("channel_closed");
    });
  }, 120_000);

  test("tells a guest that powered off", async () => {
    await during(async (op) => {
      const machine = await start(op);
      const agent = await Agent.connect(op, machine.link);
      await agent.powerOff(op, 100);
      expect((await op.race(machine.exit)).kind).toBe("guest-shutdown");
    });
  }, 120_000);

  test("tells a guest that panicked, with the console's tail and log", async () => {
    await during(async (op) => {
      const machine = await start(op, await backend.panicking(dir));
      const exit = await op.race(machine.exit);
      expect(exit).toMatchObject({
        kind: "crashed",
        detail: expect.stringMatching(/^Kernel panic - not syncing: /),
      });
      expect(exit.consoleTail).toContain("Kernel panic - not syncing");
      expect(machine.consoleTail()).toBe(exit.consoleTail);
      expect(await readFile(backend.request.consolePath, "utf8")).toContain("Kernel panic");
    });
  }, 120_000);

  test("notices at once that the VMM was killed, and the link ends", async () => {
    await during(async (op) => {
      const machine = await start(op);
      const agent = await Agent.connect(op, machine.link);
      backend.killFromOutside(machine);
      expect(await op.race(machine.exit)).toMatchObject({ kind: "killed", signal: "SIGKILL" });
      expect((await op.race(agent.closed)).code).toBe("channel_closed");
    });
  }, 120_000);

  test("the link of a machine that ended ends for readers who come late", async () => {
    await during(async (op) => {
      const machine = await start(op);
      await machine.kill("early");
      if (!machine.link.destroyed) {
        machine.link.resume();
        await op.race(once(machine.link, "close"));
      }
      expect(machine.link.destroyed).toBe(true);
    });
  }, 120_000);

  test("a paused guest says nothing and goes on afterwards", async () => {
    await during(async (op) => {
      const machine = await start(op);
      const agent = await Agent.connect(op, machine.link);
      await machine.freezer?.pause(op);
      let answered = false;
      const ping = agent.ping(op).then(() => {
        answered = true;
      });
      await op.sleep(300);
      expect(answered).toBe(false);
      await machine.freezer?.resume(op);
      await op.race(ping);
    });
  }, 120_000);

  test("after its end a machine still tells its story and takes no more commands", async () => {
    await during(async (op) => {
      const machine = await start(op);
      await machine.kill("done");
      await expect(machine.freezer?.pause(op)).rejects.toMatchObject({ code: "closed" });
      await expect(machine.freezer?.resume(op)).rejects.toMatchObject({ code: "closed" });
      expect(typeof machine.consoleTail()).toBe("string");
      expect((await machine.exit).kind).toBe("requested");
    });
  }, 120_000);

  test("a paused machine can be killed", async () => {
    await during(async (op) => {
      const machine = await start(op);
      await machine.freezer?.pause(op);
      expect((await op.race(machine.kill("frozen"))).kind).toBe("requested");
    });
  }, 120_000);

  test("a start that fails or is given up leaves nothing behind", async () => {
    const requestName = `contract-${randomHex(4)}`;
    const request = { ...backend.request, name: requestName };
    const unusable = backend.supervisor.plan(
      { ...request, consolePath: join(dir, "no", "c") },
      host,
    );
    await expect(during((op) => backend.supervisor.start(op, unusable))).rejects.toMatchObject({
      code: "store_corrupt",
    });
    const plan = backend.supervisor.plan(request, host);
    const abort = new AbortController();
    abort.abort();
    await expect(
      withOp("given up", { signal: abort.signal }, (op) => backend.supervisor.start(op, plan)),
    ).rejects.toMatchObject({ code: "cancelled" });
    expect(await backend.survivors(requestName)).toBe(0);
  });

  test("many machines at once do not disturb each other", async () => {
    await during(async (op) => {
      const machines = await Promise.all([start(op), start(op), start(op)]);
      const [first, ...others] = machines;
      await first?.kill("one of three");
      for (const machine of others) {
        const agent = await Agent.connect(op, machine.link);
        await agent.ping(op);
      }
    });
  }, 120_000);
});

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}
