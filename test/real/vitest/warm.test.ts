import { describe, expect, test } from "vitest";
import { type Major, openVitestProject } from "../../fixtures/vitest-host.ts";
import { machinesOf } from "../../fixtures/workbench.ts";

describe.each<[Major, string]>([
  [4, "forks"],
  [4, "threads"],
  [5, "forks"],
])("under Vitest %i in %s", (major, pool) => {
  test("machines stand ready for the tests to come, within the budget, and end with their file", async () => {
    await using project = await openVitestProject(major, "warm");
    const { code, text } = await project.run([], { PLUGIN_TEST_POOL: pool });
    expect([code, text]).toEqual([0, expect.stringContaining("4 passed")]);
    expect(await machinesOf(project.stateDir)).toEqual([]);
  });
});

test("SIGKILL of the main process ends those that stand ready", async () => {
  await using project = await openVitestProject(4, "warm");
  const run = project.start(["run"], { PLUGIN_TEST_HOLD: "1" });
  await run.printed(/HOLDING/);
  await expect
    .poll(() => machinesOf(project.stateDir), { timeout: 30_000, interval: 20 })
    .toHaveLength(3);
  run.child.kill("SIGKILL");
  await expect.poll(() => machinesOf(project.stateDir), { interval: 20 }).toEqual([]);
  await project.run(["-t", "nothing has this name", "--passWithNoTests"]);
});
