import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeImageFor } from "../../fixtures/glibc-image.ts";
import {
  type Major,
  nodeOf,
  openVitestProject,
  type VitestProject,
} from "../../fixtures/vitest-host.ts";
import { machinesOf } from "../../fixtures/workbench.ts";

interface Drawn {
  readonly draws: Readonly<Record<string, unknown>>;
  readonly now: Readonly<Record<"date" | "performance", number>>;
}

describe.each<[Major]>([[4], [5]])("test files in machines under Vitest %i", (major) => {
  let project: VitestProject;
  let env: Record<string, string>;

  beforeAll(async () => {
    project = await openVitestProject(major, "in-guest");
    const image = await makeImageFor(nodeOf(major), join(project.dir, "libraries"));
    env = { PLUGIN_TEST_IMAGE: image.reference, PLUGIN_TEST_SECRET: "of the host" };
    await installPackages(project.dir);
  });
  afterAll(async () => await project[Symbol.asyncDispose]());

  async function gone(): Promise<void> {
    await expect.poll(() => machinesOf(project.stateDir)).toEqual([]);
  }

  test("tests run; snapshots, coverage and output reach the host; nothing is drawn twice", async () => {
    const before = Date.now();
    const { code, text } = await project.run(["good", "--coverage.enabled"], env);
    expect([code, text]).toEqual([0, expect.stringMatching(/Tests\s+12 passed/)]);
    expect(text).toContain("machine for test files is built");
    for (const way of ["the console", "the stream", "a program"]) {
      expect(text).toContain(`PRINTED by ${way}`);
    }

    const file = (name: string) => readFile(join(project.dir, name), "utf8");
    expect(await file("good/__snapshots__/snapshots.check.ts.snap")).toContain("beside the tests");
    expect(await file("good/snapshots.check.ts")).toMatch(
      /toMatchInlineSnapshot\(`[^`]*in the source/,
    );
    expect(await file("good/alone.txt")).toBe("kept alone\n");

    const coverage: unknown = JSON.parse(await file("coverage/coverage-final.json"));
    const [facts] = Object.values(coverage as Record<string, { s: Record<string, number> }>);
    const counts = Object.values(facts?.s ?? {});
    expect([counts.some((count) => count > 0), counts.includes(0)]).toEqual([true, true]);

    const [a, b, ...others] = [...text.matchAll(/^DRAWN (.*)$/gm)].map(
      (match) => JSON.parse(match[1] ?? "") as Drawn,
    );
    expect(others).toEqual([]);
    const drawn = [a, b].flatMap((each) => Object.values(each?.draws ?? {}));
    expect(drawn).toHaveLength(28);
    expect(new Set(drawn).size).toBe(drawn.length);
    for (const { now } of [a, b].filter((each) => each !== undefined)) {
      expect(now.date).toBeGreaterThanOrEqual(before);
      expect(now.date).toBeLessThanOrEqual(Date.now());
      expect(Math.abs(now.performance - now.date)).toBeLessThan(1_000);
    }
    await gone();
  });

  test("the machine is there already the next time, snapshots hold, and files wait for room", async () => {
    const once = { ...env, CI: "1", PLUGIN_TEST_MACHINES: "1" };
    const { code, text } = await project.run(["good", "--coverage.enabled"], once);
    expect([code, text]).toEqual([0, expect.stringMatching(/Tests\s+12 passed/)]);
    expect(text).not.toContain("is built");
    expect(text).not.toMatch(/Snapshots.*written/);
    await gone();
  });

  test("a wrong test fails as ever; a process, a machine and a loop that end it are told", async () => {
    const { code, text } = await project.run(["bad"], { ...env, PLUGIN_TEST_FILE_MS: "30000" });
    expect(code).toBe(1);
    expect(text).toContain("expected 'negative' to be 'positive'");
    expect(text).toMatch(/fails\.check\.ts:5:/);
    expect(text).toMatch(/abort\.check\.ts" could not be run: The worker in machine "\S+" ended/);
    expect(text).toMatch(/off\.check\.ts" could not be run: .*powered/);
    expect(text).toMatch(/hang\.check\.ts" could not be run: It did not end within 30000 ms/);
    await gone();
  });

  test("an interrupt cancels the tests and ends the machines", async () => {
    const run = project.start(["run", "slow/slow"], env);
    await run.printed(/BEGUN/);
    run.child.kill("SIGINT");
    expect(await run.code).toBe(130);
    expect(run.text()).toContain("ABORTED");
    expect(run.text()).not.toContain("BEGUN TOO");
    await gone();
  });

  test("a loop that hears no interrupt is ended after a while", async () => {
    const run = project.start(["run", "slow/busy"], env);
    await run.printed(/BEGUN BUSY/);
    run.child.kill("SIGINT");
    expect(await run.code).toBe(130);
    expect(run.text()).toContain("after the interrupt");
    await gone();
  });

  test("watching runs a changed file again, in another machine", async () => {
    const path = join(project.dir, "good", "draws-a.check.ts");
    const text = await readFile(path, "utf8");
    const run = project.start(["watch", "good/draws-a"], env);
    await run.printed(/Waiting for file changes/, /could not be run|Unhandled Error|Tests failed/);
    // Written again and again: one change may come before the watcher is ready, or while it looks away.
    const change = async () => {
      await writeFile(path, text);
      return new Set(run.text().match(/"uuid":"[^"]+"/g)).size > 1;
    };
    await run.until(change, 5_000);
    run.child.kill("SIGTERM");
    await run.code;
    await gone();
  });

  test("SIGKILL of the main process leaves no machine", async () => {
    const run = project.start(["run", "slow/slow"], env);
    await run.printed(/BEGUN/);
    run.child.kill("SIGKILL");
    await gone();
    // What a killed run leaves are files, and the next run removes them.
    const { code } = await project.run(["good/snapshots"], env);
    expect(code).toBe(0);
  });
});

/** A package that only the tests import, one that only that package needs, and an environment of Vitest's. */
async function installPackages(dir: string): Promise<void> {
  const files = {
    "greeter/package.json": JSON.stringify({ name: "greeter", dependencies: { words: "1.0.0" } }),
    "greeter/index.js":
      'const { hello } = require("words");\nexports.greet = (name) => [hello, name].join(", ");\n',
    "greeter/node_modules/words/package.json": JSON.stringify({ name: "words" }),
    "greeter/node_modules/words/index.js": 'exports.hello = "hello";\n',
    "vitest-environment-in-machine/package.json": JSON.stringify({
      name: "vitest-environment-in-machine",
      type: "module",
      exports: "./index.js",
    }),
    "vitest-environment-in-machine/index.js": `import { readFileSync } from "node:fs";
      const read = () => readFileSync("/proc/sys/kernel/hostname", "utf8").trim();
      export default {
        name: "in-machine",
        viteEnvironment: "ssr",
        setup(global) {
          global.readAtSetup = read();
          return { teardown() { delete global.readAtSetup; } };
        },
      };`,
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(dir, "node_modules", name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
}
