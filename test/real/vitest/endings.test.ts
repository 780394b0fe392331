import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Major, openVitestProject, type VitestProject } from "../../fixtures/vitest-host.ts";
import { machinesOf } from "../../fixtures/workbench.ts";

async function notes(project: VitestProject): Promise<string> {
  return await readFile(join(project.dir, "notes.txt"), "utf8").catch(() => "");
}

interface Start {
  readonly words?: readonly string[];
  readonly onTerminal?: boolean;
}

const ctrlC = "\u0003";

/** A run whose only test is in the middle of a command. */
async function startSlow(
  project: VitestProject,
  pool: string,
  { words = ["run"], onTerminal = false }: Start = {},
) {
  const env = { PLUGIN_TEST_POOL: pool };
  const run = onTerminal ? project.startOnTerminal(words, env) : project.start(words, env);
  let pids: readonly number[] = [];
  await expect
    .poll(
      async () => {
        const match = /vmm (\d+) worker (\d+)/.exec(await notes(project));
        pids = match === null ? [] : [Number(match[1]), Number(match[2])];
        return pids.length;
      },
      { timeout: 120_000, interval: 50 },
    )
    .toBe(2);
  const [vmm = 0, worker = 0] = pids;
  return { run, vmm, worker };
}

async function gone(project: VitestProject): Promise<void> {
  await expect.poll(() => machinesOf(project.stateDir), { interval: 20 }).toEqual([]);
}

/** What a killed run leaves are files, and the next run removes them. */
async function swept(project: VitestProject): Promise<void> {
  const { text } = await project.run(["-t", "nothing has this name", "--passWithNoTests"]);
  expect(text).not.toContain("Unhandled");
  expect(await readdir(join(project.stateDir, "snapshots"))).toEqual([]);
}

describe.each<[Major, string]>([
  [4, "forks"],
  [4, "threads"],
  [5, "forks"],
  [5, "threads"],
])("under Vitest %i in %s", (major, pool) => {
  test("SIGKILL of the main process leaves no machine", async () => {
    await using project = await openVitestProject(major, "slow");
    const { run } = await startSlow(project, pool);
    run.child.kill("SIGKILL");
    await gone(project);
    await swept(project);
  });

  test.each<[NodeJS.Signals, number]>([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])(
    "%s ends the tests first, then their machines, and is told by the exit code",
    async (signal, code) => {
      await using project = await openVitestProject(major, "slow");
      const { run } = await startSlow(project, pool);
      run.child.kill(signal);
      expect(await run.code).toBe(code);
      await gone(project);
      expect(await notes(project)).toMatch(/aborted[\s\S]*finished/);
    },
  );

  test("Ctrl-C on a terminal, which reaches every process, does the same", async () => {
    await using project = await openVitestProject(major, "slow");
    const { run } = await startSlow(project, pool, { onTerminal: true });
    run.child.stdin?.write(ctrlC);
    expect(await run.code).toBe(130);
    await gone(project);
    expect(await notes(project)).toMatch(/aborted[\s\S]*finished/);
  });

  test("Ctrl-C on a terminal ends a watch with its machines", async () => {
    await using project = await openVitestProject(major, "slow");
    const { run } = await startSlow(project, pool, { onTerminal: true, words: ["watch"] });
    run.child.stdin?.write(ctrlC);
    await run.code;
    await gone(project);
  });
});

describe.each<[Major]>([[4], [5]])("under Vitest %i", (major) => {
  test("SIGKILL of a worker leaves no machine", async () => {
    await using project = await openVitestProject(major, "slow");
    const { run, worker } = await startSlow(project, "forks");
    process.kill(worker, "SIGKILL");
    await gone(project);
    expect(await run.code).not.toBe(0);
    await swept(project);
  });
});
