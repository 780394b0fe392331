import { readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { sparseDigest } from "../../../src/workspace/templates/digest.ts";
import { manifestText, parseManifest } from "../../../src/workspace/templates/manifest.ts";
import { type Major, openVitestProject, type VitestProject } from "../../fixtures/vitest-host.ts";
import { machinesOf } from "../../fixtures/workbench.ts";

const only = (words: string) => ["-t", words];

async function templateOf(project: VitestProject): Promise<string> {
  const templates = join(project.stateDir, "templates");
  const names = await readdir(templates);
  expect(names).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  return join(templates, names[0] ?? "");
}

/** Damage that no digest shows: a machine starts from it and says nothing. */
async function emptyMemory(path: string): Promise<void> {
  const memory = join(path, "memory");
  const manifest = parseManifest(await readFile(join(path, "template.json"), "utf8"));
  if (manifest === null) throw new Error("no manifest");
  const bytes = manifest.files.find((file) => file.name === "memory")?.sizeBytes ?? 0;
  await truncate(memory, 0);
  await truncate(memory, bytes);
  const digest = await withOp("forge", {}, (op) => sparseDigest(op, memory));
  const files = manifest.files.map((file) => (file.name === "memory" ? { ...file, digest } : file));
  await writeFile(join(path, "template.json"), manifestText({ ...manifest, files }));
}

describe.each<[Major]>([[4], [5]])("under Vitest %i", (major) => {
  test("two runs at once build a template once and keep one budget, and who waits is seen to wait", async () => {
    await using project = await openVitestProject(major, "crowd");
    const runs = [1, 2].map(() => project.start(["run", ...only("stays a while")]));
    const codes = Promise.all(runs.map((run) => run.code));
    let over = false;
    void codes.then(() => {
      over = true;
    });
    let most = 0;
    while (!over) {
      most = Math.max(most, (await machinesOf(project.stateDir)).length);
      await sleep(30);
    }
    const text = runs.map((run) => run.text()).join("\n");
    expect(await codes, text).toEqual([0, 0]);
    expect(most, "512 MiB hold two machines").toBe(2);
    expect(text.match(/template "box" is built/g), text).toHaveLength(1);
    expect(text).toMatch(
      /microagent: Waiting for room: 256 MiB and 1 CPUs are wanted; 2 machines hold 512 of 512 MiB/,
    );
  });

  test("a budget that holds not even one machine fails the run at once, with the numbers", async () => {
    await using project = await openVitestProject(major, "crowd");
    const { code, text } = await project.run(only("one machine fits"), {
      PLUGIN_TEST_BUDGET: "128",
    });
    expect(code, text).not.toBe(0);
    expect(text).toContain(
      "A machine with 256 MiB and 1 CPUs can never run within a budget of 128 MiB",
    );
    expect(await readdir(join(project.stateDir, "templates")).catch(() => [])).toEqual([]);
  });

  test("a test that finds no room in time says who has it", async () => {
    await using project = await openVitestProject(major, "crowd");
    const { code, text } = await project.run(only("no room in time"), {
      PLUGIN_TEST_ADMISSION: "1500",
    });
    expect(code, text).toBe(1);
    expect(text).toMatch(/Tests\s+1 failed \| 1 passed/);
    expect(text).toMatch(
      /No room for another machine after 1\.\d s: 256 MiB and 1 CPUs are wanted; 2 machines hold 512 of 512 MiB/,
    );
  });

  test("a template that is truncated, or that nothing starts from, is built anew before the tests, once, with the reason", async () => {
    await using project = await openVitestProject(major, "broken");
    const run = async () => {
      const { code, text } = await project.run(only("has what the template was given"));
      expect([code, text]).toEqual([0, expect.stringContaining("1 passed")]);
      return text;
    };
    expect(await run()).toContain("is built");
    expect(await run()).not.toMatch(/is built|boots/);
    await truncate(join(await templateOf(project), "memory"), 1 << 20);
    expect(await run()).toMatch(
      /is built .*: The one that was there cannot be used: its file "memory" has 1048576 bytes/,
    );
    await emptyMemory(await templateOf(project));
    expect(await run()).toMatch(/cannot be started: starting it failed .*; it is built anew/);
    expect(await run()).not.toMatch(/is built|boots/);
  });

  test("a template that is damaged under the tests fails them by name, and the next run builds another", async () => {
    await using project = await openVitestProject(major, "broken");
    const damaged = await project.run(only("damaged under the tests"));
    expect([damaged.code, damaged.text]).toEqual([0, expect.stringContaining("1 passed")]);
    const next = await project.run(only("has what the template was given"));
    expect([next.code, next.text]).toEqual([0, expect.stringContaining("1 passed")]);
    expect(next.text).toContain("is built");
  });

  test("SIGKILL at random moments of building leaves no machine, and nothing that hurts the next run", async () => {
    await using project = await openVitestProject(major, "broken");
    const templates = join(project.stateDir, "templates");
    for (let round = 0; round < 4; round++) {
      // With one that was finished before its run was killed, nothing is built any more.
      for (const name of await readdir(templates).catch(() => [])) {
        if (/^[0-9a-f]{64}$/.test(name)) await rm(join(templates, name), { recursive: true });
      }
      const run = project.start(["run", ...only("has what the template was given")]);
      await run.printed(/needs its image|boots/);
      await sleep(Math.random() * 3_000);
      run.child.kill("SIGKILL");
      await run.code;
      await expect.poll(() => machinesOf(project.stateDir), { interval: 20 }).toEqual([]);
    }
    const { code, text } = await project.run(only("has what the template was given"));
    expect([code, text]).toEqual([0, expect.stringContaining("1 passed")]);
    expect(await readdir(templates)).toHaveLength(1);
  });

  test("a VMM of another version under the cache is another template", async () => {
    await using project = await openVitestProject(major, "broken");
    const run = (env = {}) => project.run(only("has what the template was given"), env);
    // What is found out about the other program is nothing for others to remember.
    await rm(join(project.stateDir, "cache"));
    expect((await run()).text).toContain("is built");
    const newer = join(project.dir, "newer-qemu");
    const script = [
      "#!/bin/sh",
      'case "$*" in *-version*) qemu-system-x86_64 -version | sed "s/\\(version [0-9]*[.][0-9]*\\)[.][0-9]*/\\1.99/"; exit;; esac',
      'exec qemu-system-x86_64 "$@"',
      "",
    ];
    await writeFile(newer, script.join("\n"), { mode: 0o755 });
    const upgraded = await run({ MICROAGENT_QEMU: newer });
    expect([upgraded.code, upgraded.text]).toEqual([0, expect.stringContaining("1 passed")]);
    expect(upgraded.text).toContain("is built");
    expect((await run()).text, "the other one is still there").not.toContain("is built");
  });

  test("a full disk fails what needs it, with a name, and nothing else", async (context) => {
    await using project = await openVitestProject(major, "broken");
    const cloning = await project.runOnDisk(context, 600, only("a disk that is full"));
    expect([cloning.code, cloning.text]).toEqual([0, expect.stringContaining("1 passed")]);
    const saving = await project.runOnDisk(context, 40, only("has what the template was given"));
    expect(saving.code, saving.text).not.toBe(0);
    expect(saving.text).toMatch(/template "box" failed: .*space/);
  });
});
