/** Runs in every worker, before each test file: matchers, and what happens around each test. */
import { fileURLToPath } from "node:url";
import { aroundEach } from "vitest";
import { collectEvidence, withoutOurFrames } from "./evidence/collect.ts";
import { Life } from "./machine/life.ts";
import { registerMatchers } from "./matchers/register.ts";
import { attempts } from "./worker/attempt.ts";
import { sharedMachines } from "./worker/file-machines.ts";
import { workerHost } from "./worker/host.ts";
import { dieWithMain } from "./worker/orphan.ts";

registerMatchers();
dieWithMain();

/** Around a test only tearing down takes time, which has bounds of its own. */
const aroundMs = 600_000;

/** The folder of all compiled files of this package. */
const ourDir = fileURLToPath(new URL("..", import.meta.url));

aroundEach(async (runTest, { task }) => {
  const shared = sharedMachines();
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
    if (task.result?.state === "fail" && machines.length > 0) {
      withoutOurFrames(task, ourDir);
      await collectEvidence(task, machines, workerHost());
    }
    await attempt?.end("its test has ended");
    attempts().delete(task.id);
  }
}, aroundMs);
