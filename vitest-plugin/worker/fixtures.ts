import { test as base, type TestContext } from "vitest";
import { hostEnvironment, randomHex, realClock } from "../../src/index.ts";
import type { Machine } from "../machine/machine.ts";
import { Attempt, attemptOf } from "./attempt.ts";
import { sharedMachines } from "./file-machines.ts";
import { type MachineSpec, type Owner, startMachine } from "./start.ts";

declare module "vitest" {
  interface TaskMeta {
    /** What the test's machine is to be. */
    microvm?: MachineSpec | undefined;
  }
}

/** Starts further machines for the same test. */
export type Boot = (spec?: MachineSpec) => Promise<Machine>;

/** What a file may have at most while it begins; the hook that asks has its own bound. */
const fileMs = 0;

function ownerOf(task: TestContext["task"], signal: AbortSignal, attempt: Attempt): Owner {
  const passedMs = realClock.monotonic() - attempt.startedAtMs;
  // Waiting takes of the test's time, so it ends before Vitest ends the test, and says for what it waited.
  const leftMs = task.timeout > 0 && Number.isFinite(task.timeout) ? task.timeout - passedMs : 0;
  return { group: groupOf(task.id), signal, leftMs: leftMs === 0 ? 0 : Math.max(1, leftMs) };
}

function groupOf(taskId: string): string {
  return `${hostEnvironment.pid.toString(36)}x${taskId.replace(/[^a-z0-9]/gi, "x").toLowerCase()}`;
}

/** A test with machines. */
export const test = base
  .extend("spec", {} as MachineSpec)
  .extend("boot", async ({ spec, task, signal }): Promise<Boot> => {
    // Of this attempt also when it is called long after its end.
    const attempt = attemptOf(task.id);
    return async (more = {}) => {
      const wanted = { ...spec, ...task.meta.microvm, ...more };
      return await startMachine(wanted, ownerOf(task, signal, attempt), attempt);
    };
  })
  .extend("vm", async ({ boot }): Promise<Machine> => await boot())
  .extend("sharedSpec", { scope: "file" }, async (): Promise<MachineSpec> => ({}))
  .extend("sharedVm", { scope: "file" }, async ({ sharedSpec }, { onCleanup }) => {
    const attempt = new Attempt();
    const owner = {
      group: groupOf(randomHex(8)),
      signal: undefined,
      leftMs: fileMs,
    };
    const machine = await startMachine({ name: "shared", ...sharedSpec }, owner, attempt);
    sharedMachines().add(machine);
    onCleanup(async () => {
      sharedMachines().delete(machine);
      await attempt.end("its test file has ended");
    });
    return machine;
  });

/** A test whose machines are of one template, or otherwise as given. */
export function vmTest(spec: MachineSpec): typeof test {
  return test.extend("spec", spec).extend("sharedSpec", { scope: "file" }, async () => spec);
}
