import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Op, withOp } from "../../../../src/base/op.ts";
import { identityOf } from "../../../../src/host/process-identity.ts";
import { startQemu } from "../../../../supervisors/qemu/machine.ts";
import type { QemuPlan } from "../../../../supervisors/qemu/plan.ts";

// A QEMU of a few lines: greets on its control socket, echoes its agent port, obeys as `quirk` says.
const fakeQemu = `#!${process.execPath}
const { Socket } = require("node:net");
const quirk = process.argv[2];
const open = (fd) => new Socket({ fd, readable: true, writable: true });
const [agent, control, serial] = [open(3), open(4), open(5)];
serial.write("booting " + quirk + "\\n");
if (quirk === "flood-stderr") process.stderr.write("x".repeat(10_000_000));
control.write('{"QMP":{}}\\n');
agent.pipe(agent);
control.setEncoding("utf8");
control.on("data", (text) => {
  for (const line of text.trim().split("\\n")) {
    const { execute, id } = JSON.parse(line);
    if (execute === "quit" && quirk === "stubborn") return;
    control.write(JSON.stringify({ return: {}, id }) + "\\n");
    if (execute === "quit") {
      control.write('{"event":"SHUTDOWN","data":{"guest":false,"reason":"host-qmp-quit"}}\\n');
      setTimeout(() => process.exit(0), 5);
    }
    if (execute === "qmp_capabilities" && quirk === "last-words") {
      serial.write("Kernel panic - not syncing: last words\\n");
      control.write('{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-reset"}}\\n', () => process.exit(0));
    }
  }
});
process.on("SIGTERM", () => {});
`;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-machine-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function plan(script: string, ...args: string[]): Promise<QemuPlan> {
  const file = join(dir, "qemu");
  await writeFile(file, script, { mode: 0o755 });
  return {
    name: "m1",
    file,
    args,
    consolePath: join(dir, "console.log"),
    disposable: false,
    statePath: null,
    sharedMemory: false,
    vmmVersion: "7.2.22",
    memoryMib: 256,
    disks: [],
  };
}

function during<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("t", { timeoutMs: 20_000 }, work);
}

describe("startQemu", () => {
  test("a QEMU that dies at once fails the start in its own words", async () => {
    const dying = await plan('#!/bin/sh\necho "qemu-system-x86_64: no such device" >&2; exit 1\n');
    await expect(during((op) => startQemu(op, dying))).rejects.toMatchObject({
      code: "vmm_failed",
      message: "QEMU ended right after its start: no such device",
    });
    const silent = await plan("#!/bin/sh\nexit 3\n");
    await expect(during((op) => startQemu(op, silent))).rejects.toMatchObject({
      message: "QEMU ended right after its start: QEMU ended with status 3",
    });
  });

  test("a QEMU that cannot be run is no machine", async () => {
    const broken = await plan("#!/nonexistent/interpreter\n");
    await expect(during((op) => startQemu(op, broken))).rejects.toMatchObject({
      code: "vmm_failed",
    });
    await expect(
      during((op) => startQemu(op, { ...broken, file: join(dir, "nothing") })),
    ).rejects.toMatchObject({ code: "host_tool_missing" });
  });

  test("giving up while QEMU is silent leaves no process", async () => {
    const hanging = await plan(`#!/bin/sh\necho $$ > ${dir}/pid; exec sleep 600\n`);
    await expect(
      withOp("t", { timeoutMs: 500 }, (op) => op.step("start", (step) => startQemu(step, hanging))),
    ).rejects.toMatchObject({ code: "timeout" });
    const pid = Number(await readFile(join(dir, "pid"), "utf8"));
    await during(async (op) => {
      while (identityOf(pid) !== null) await op.sleep(5);
    });
  });

  test("carries bytes both ways, logs the console and ends in order", async () => {
    const machine = await during(async (op) => startQemu(op, await plan(fakeQemu, "obedient")));
    const echoed = new Promise((resolve) => machine.link.once("data", resolve));
    machine.link.write("ping");
    expect(String(await echoed)).toBe("ping");
    expect(await machine.kill("done")).toEqual({
      kind: "requested",
      reason: "done",
      consoleTail: "booting obedient\n",
    });
    expect(await readFile(join(dir, "console.log"), "utf8")).toBe("booting obedient\n");
  });

  test("a QEMU that ignores the request is killed", async () => {
    const machine = await during(async (op) => startQemu(op, await plan(fakeQemu, "stubborn")));
    expect(await machine.kill("done")).toMatchObject({ kind: "requested", reason: "done" });
  });

  test("the last words on every socket are heard before the exit is told", async () => {
    for (let round = 0; round < 5; round++) {
      const machine = await during(async (op) => startQemu(op, await plan(fakeQemu, "last-words")));
      expect(await machine.exit).toMatchObject({
        kind: "crashed",
        detail: "Kernel panic - not syncing: last words",
        exitCode: 0,
      });
    }
  });

  test("a flood on stderr is not kept", async () => {
    const machine = await during(async (op) => startQemu(op, await plan(fakeQemu, "flood-stderr")));
    expect((await machine.kill("done")).kind).toBe("requested");
  });
});
