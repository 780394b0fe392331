import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Agent } from "../../../../src/agent/agent.ts";
import { type Op, withOp } from "../../../../src/base/op.ts";
import { createMemorySupervisor } from "../../../../supervisors/memory/supervisor.ts";
import { someHost, someRequest } from "../../../support/machine-request.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-memory-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

function during<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("t", { timeoutMs: 20_000 }, work);
}

function machineOf(supervisor: ReturnType<typeof createMemorySupervisor>, op: Op) {
  const request = someRequest({ consolePath: join(dir, "console.log") });
  return supervisor.start(op, supervisor.plan(request, someHost({ accel: "none" })));
}

describe("faults on demand", () => {
  test("each start takes the oldest one, and null is a start without", async () => {
    const supervisor = createMemorySupervisor();
    supervisor.control.inject({ kind: "start-fails", detail: "no memory" }, null);
    await during(async (op) => {
      await expect(machineOf(supervisor, op)).rejects.toMatchObject({
        code: "vmm_failed",
        message: "The machine could not be started: no memory",
      });
      const machine = await machineOf(supervisor, op);
      expect(supervisor.control.running).toEqual(["m1"]);
      await machine.kill("done");
      expect(supervisor.control.running).toEqual([]);
      expect(supervisor.control.startedCount).toBe(2);
    });
  });

  test("a machine is killed some time after its start", async () => {
    const supervisor = createMemorySupervisor();
    supervisor.control.inject({ kind: "killed", afterMs: 10, signal: "SIGTERM" });
    const exit = await during(async (op) => op.race((await machineOf(supervisor, op)).exit));
    expect(exit).toMatchObject({ kind: "killed", signal: "SIGTERM" });
  });

  test("a panic by name ends the machine and what was connected to it", async () => {
    const supervisor = createMemorySupervisor();
    await during(async (op) => {
      const machine = await machineOf(supervisor, op);
      const agent = await Agent.connect(op, machine.link);
      supervisor.control.panic("m1", "out of luck");
      expect(await op.race(machine.exit)).toMatchObject({
        kind: "crashed",
        detail: "Kernel panic - not syncing: out of luck",
      });
      await expect(agent.ping(op)).rejects.toMatchObject({ code: "channel_closed" });
      expect(() => supervisor.control.kill("m1", "SIGKILL")).toThrow(/No machine "m1" is running/);
    });
  });

  test("a silent guest never answers, and its machine is still ours to end", async () => {
    const supervisor = createMemorySupervisor({ guest: { fault: { kind: "silent" } } });
    await during(async (op) => {
      const machine = await machineOf(supervisor, op);
      const attempt = op.step("handshake", (step) => Agent.connect(step, machine.link), {
        timeoutMs: 50,
      });
      await expect(attempt).rejects.toMatchObject({ code: "timeout" });
      expect((await machine.kill("silent")).kind).toBe("requested");
    });
  });

  test("the guest's script may depend on the machine and on the number of the start", async () => {
    const starts: string[] = [];
    const supervisor = createMemorySupervisor({
      guest: (plan, start) => {
        starts.push(`${plan.name} ${start}`);
        return {};
      },
    });
    await during(async (op) => {
      for (let n = 0; n < 2; n++) await (await machineOf(supervisor, op)).kill("next");
    });
    expect(starts).toEqual(["m1 1", "m1 2"]);
  });

  test("hardware acceleration is refused rather than pretended", async () => {
    const { kernel } = someRequest();
    const probe = await during((op) =>
      createMemorySupervisor().probe(op, {
        accel: "kvm",
        kernel,
        initramfsPath: "/k/initramfs",
        cacheDir: dir,
      }),
    );
    expect(probe).toMatchObject({ ok: false, refusals: [{ code: "accel_unavailable" }] });
  });
});
