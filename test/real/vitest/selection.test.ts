import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Major, openVitestProject } from "../../fixtures/vitest-host.ts";

describe.each<[Major]>([[4], [5]])("under Vitest %i", (major) => {
  test("listing tests builds nothing", async () => {
    await using project = await openVitestProject(major, "one-machine");
    const run = project.start(["list"]);
    expect(await run.code, run.text()).toBe(0);
    expect(run.text()).toContain("finds the seed");
    expect(await readdir(join(project.stateDir, "templates")).catch(() => [])).toEqual([]);
  });

  test("a shard of the files runs, and a second run finds its template", async () => {
    await using project = await openVitestProject(major, "one-machine");
    for (const name of ["b", "c"]) {
      const text = `import { test } from "microagent-ci/vitest/test";
        test("runs", async ({ vm }) => { await vm.exec(["true"], { check: true }); });`;
      await writeFile(join(project.dir, `${name}.check.ts`), text);
    }
    const first = await project.run(["--shard=1/3"]);
    expect([first.code, first.text]).toEqual([0, expect.stringMatching(/Test Files\s+1 passed/)]);
    expect(first.text).toContain("is built");
    const second = await project.run(["--shard=2/3"]);
    expect([second.code, second.text]).toEqual([0, expect.stringMatching(/Test Files\s+1 passed/)]);
    expect(second.text).not.toContain("is built");
  });

  test("watching runs a changed file again", async () => {
    await using project = await openVitestProject(major, "one-machine");
    const run = project.start(["watch"]);
    await run.printed(/3 passed/, /failed|Unhandled Error/);
    await run.printed(/Waiting for file changes/);
    const text = `import { test } from "microagent-ci/vitest/test";
      test("is new", async ({ vm }) => { await vm.exec(["true"], { check: true }); });`;
    // Written again and again: one change may come before the watcher is ready, or while it looks away.
    const change = async () => {
      await writeFile(join(project.dir, "one-machine.check.ts"), text);
      return /Tests\s+1 passed/.test(run.text());
    };
    await run.until(change, 5_000);
    run.child.kill("SIGTERM");
    await run.code;
  });
});
