import { describe, expect, test } from "vitest";
import { type Major, openVitestProject } from "../../fixtures/vitest-host.ts";

describe.each<[Major]>([[4], [5]])("under Vitest %i", (major) => {
  test("every verb of a machine does what it says", async () => {
    await using project = await openVitestProject(major, "verbs");
    const { code, text } = await project.run();
    expect(text).toContain('template "box" is built');
    expect(text, "no selected test asks for it").not.toContain('template "never"');
    expect([code, text]).toEqual([0, expect.stringContaining("7 passed")]);
  });

  test.each(["forks", "threads"])(
    "in %s: timers, retries, repetitions, concurrency",
    async (pool) => {
      await using project = await openVitestProject(major, "traps");
      const { code, text } = await project.run([], { PLUGIN_TEST_POOL: pool });
      expect([code, text]).toEqual([0, expect.stringMatching(/Tests\s+\d+ passed/)]);
    },
  );

  test("a shared machine is what it was again before each test", async () => {
    await using project = await openVitestProject(major, "one-machine");
    const { code, text } = await project.run();
    expect([code, text]).toEqual([0, expect.stringContaining("3 passed")]);
  });

  test("each project has its own templates", async () => {
    await using project = await openVitestProject(major, "two-projects");
    const { code, text } = await project.run();
    expect([code, text]).toEqual([0, expect.stringContaining("2 passed")]);
    expect(text).toContain("MEMORY 192 small");
    expect(text).toContain("MEMORY 320 large");
  });
});
