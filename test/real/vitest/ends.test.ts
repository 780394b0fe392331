import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Major, openVitestProject } from "../../fixtures/vitest-host.ts";
import { machinesOf } from "../../fixtures/workbench.ts";

describe.each<[Major]>([[4], [5]])("under Vitest %i", (major) => {
  test("--bail ends the tests that are at work, and their machines with them", async () => {
    await using project = await openVitestProject(major, "ends");
    const { code, text } = await project.run(["-t", "bail:", "--bail=1", "--maxWorkers=2"]);
    expect(code, text).toBe(1);
    expect(text).not.toContain("NOT REACHED");
    expect(await readFile(join(project.dir, "notes.txt"), "utf8")).toBe("aborted\nfinished\n");
    expect(await machinesOf(project.stateDir)).toEqual([]);
  });

  test("cleaning up that hangs or throws fails its test, and keeps no machine from ending", async () => {
    await using project = await openVitestProject(major, "ends");
    const { code, text } = await project.run(["-t", "cleanup:"]);
    expect(code, text).toBe(1);
    expect(text).toMatch(/Tests\s+2 failed \| 1 passed/);
    expect(text).toContain("thrown by a fixture");
  });

  test("a fixture whose cleaning up never ends holds the run until an interrupt, which ends its machine too", async () => {
    await using project = await openVitestProject(major, "ends");
    const run = project.start(["run", "-t", "stuck:"], { PLUGIN_TEST_TEARDOWN: "1000" });
    const notes = () => readFile(join(project.dir, "notes.txt"), "utf8").catch(() => "");
    await run.until(async () => (await notes()).includes("stuck"));
    run.child.kill("SIGINT");
    expect(await run.code, run.text()).toBe(130);
    expect(run.text()).toContain("tests did not end within 11000 ms after SIGINT");
    await expect.poll(() => machinesOf(project.stateDir)).toEqual([]);
    const { code, text } = await project.run(["-t", "the next test"]);
    expect([code, text]).toEqual([0, expect.stringMatching(/Tests\s+1 passed/)]);
  });

  test("a retry is not ended by the time of the attempt before", async () => {
    await using project = await openVitestProject(major, "ends");
    const { code, text } = await project.run(["-t", "retry:"]);
    expect([code, text]).toEqual([0, expect.stringMatching(/Tests\s+1 passed/)]);
  });

  test.each(["forks", "threads"])(
    "files that share a worker in %s share no machine",
    async (pool) => {
      await using project = await openVitestProject(major, "ends");
      const { code, text } = await project.run(["-t", "shared worker:", "--no-file-parallelism"], {
        PLUGIN_TEST_POOL: pool,
        PLUGIN_TEST_SHARED_WORKER: "1",
      });
      expect([code, text]).toEqual([0, expect.stringMatching(/Tests\s+2 passed/)]);
    },
  );
});
