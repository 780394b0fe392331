import { afterAll, beforeAll, expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { boot } from "../../../src/workspace/boot.ts";
import { requestOf } from "../../../src/workspace/run-plan.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

test("sixty cold boots in a row come up and answer a command", async () => {
  const retries: string[] = [];
  for (let round = 1; round <= 60; round++) {
    const plan = bench.plan({ name: `boot-${round}`, cpus: 1, memory: 128, exec: "true" });
    const request = requestOf(plan, { setup: [], files: [] }).boot;
    await withOp(`boot ${round}`, {}, async (op) => {
      await using workspace = await boot(op, bench.engine, request);
      if (workspace.report.retryReason !== null) retries.push(workspace.report.retryReason);
      const ran = await workspace.agent.run(op, {
        argv: ["/bin/echo", `${round}`],
        env: [],
        cwd: "/",
        user: "root",
        stdin: false,
        tty: null,
        timeoutMs: null,
      });
      expect(ran.stdout.toString()).toBe(`${round}\n`);
    });
  }
  // A boot that had to be started over is allowed and must be seen.
  if (retries.length > 0) console.warn(`${retries.length} of 60 boots were started over`, retries);
});
