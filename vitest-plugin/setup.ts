import { fileURLToPath } from "node:url";
import { afterAll, aroundEach, type RunnerTestCase } from "vitest";
import { collectEvidence, withoutOurFrames } from "./evidence/collect.ts";
import { Life } from "./machine/life.ts";
import { registerMatchers } from "./matchers/register.ts";
import { attempts } from "./worker/attempt.ts";
import { sharedMachines } from "./worker/file-machines.ts";
import { workerHost } from "./worker/host.ts";
import { dieWithMain } from "./worker/orphan.ts";
import { warmMachines } from "./worker/warm.ts";

/** Around a test only tearing down takes time, which has bounds of its own. */
const aroundMs = 600_000;

/** The folder of all compiled files of this package. */
const ourDir = fileURLToPath(new URL("..", import.meta.url));

/** Before each test file: matchers, and what happens around each of its tests. */
export function beginFile(): void {
  registerMatchers();
  dieWithMain();
  aroundEach((runTest, { task }) => around(runTest, task), aroundMs);
  afterAll(() => warmMachines().drain(), aroundMs);
}

async function around(runTest: () => Promise<void>, task: RunnerTestCase): Promise<void> {
  const shared = sharedMachines();
  warmMachines().expect(task.file);
  attempts().delete(task.id);
  if (shared.all.length > 0) {
    const { settings } = workerHost();
    await shared.reset(new Life(settings.timeouts, undefined, 0));
  }
  try {
    await runTest();
  } finally {
    const attempt = attempts().get(task.id);
    attempt?.close("its test has ended");
    const used = shared.noteUse();
    const machines = [...(attempt?.machines ?? []), ...used];
    if (task.result?.state === "fail") {
      withoutOurFrames(task, ourDir);
      if (machines.length > 0) await collectEvidence(task, machines, workerHost());
    }
    await attempt?.end("its test has ended");
    attempts().delete(task.id);
  }
}
