import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli, startCli } from "../../fixtures/cli.ts";
import { machinesOf, openWorkbench, survivors, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;
let env: Record<string, string>;
beforeAll(async () => {
  bench = await openWorkbench();
  env = { MICROAGENT_STATE_DIR: bench.stateDir };
  // The image's base is built once here, so that the tests below time runs and nothing else.
  await runCli(["image", "pull", bench.image], { env });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

test("text mode: the guest's streams are ours, the rest is on stderr, its code is ours", async () => {
  const run = await runCli(["run", bench.image, "sh", "-c", "echo out; echo err >&2; exit 5"], {
    env,
  });
  expect(run.code).toBe(5);
  expect(run.stdout).toBe("out\n");
  expect(run.stderr).toContain("err\n");
  expect(run.stderr).toMatch(/booted in .* \((tcg|kvm), kernel /);
  expect(run.stderr).toContain("acceleration: ");
});

test("JSON mode: one document on stdout, nothing else", async () => {
  const run = await runCli(["--json", "run", bench.image, "echo", "hello"], { env });
  expect(run.code).toBe(0);
  expect(run.stderr).toBe("");
  expect(JSON.parse(run.stdout)).toMatchObject({
    exit_code: 0,
    result: { stdout: "hello\n", exit_code: 0 },
    backend: "qemu",
  });
});

test.each([
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s stops the guest, keeps what is there and exits %i", async (signal, code) => {
  const outputDir = join(bench.dir, `out-${signal}`);
  const run = startCli(
    [
      ...["run", "--image", bench.image, "--output-dir", outputDir, "--output", "note=/note"],
      ...["--exec", "echo kept > /note; echo up; sleep 600"],
    ],
    { env },
  );
  await run.printed(/up/);
  const signalledAt = performance.now();
  run.child.kill(signal);
  expect(await run.code).toBe(code);
  expect(performance.now() - signalledAt).toBeLessThan(5_000);
  expect(await readFile(join(outputDir, "note", "note"), "utf8")).toBe("kept\n");
  const written = JSON.parse(await readFile(join(outputDir, "result.json"), "utf8"));
  expect(written.termination).toEqual({ kind: "interrupted", signal });
  expect(await survivors(bench.stateDir)).toEqual([]);
});

test("SIGKILL at twenty moments leaves no machine, no lock, and a store that works", async () => {
  const seed = Date.now() % 100_000;
  for (let round = 0; round < 20; round++) {
    const run = startCli(["run", bench.image, "sh", "-c", "echo up; sleep 30"], { env });
    // Spread over start, boot, handshake and run; the seed moves the whole grid a little.
    await sleep(60 * round + (seed % 60));
    run.child.kill("SIGKILL");
    await run.code;
  }
  await expect.poll(() => machinesOf(bench.stateDir), { message: `seed ${seed}` }).toEqual([]);
  const next = await runCli(["run", bench.image, "echo", "works"], { env });
  expect(next, `seed ${seed}`).toMatchObject({ code: 0, stdout: "works\n" });
  expect(await survivors(bench.stateDir), `seed ${seed}`).toEqual([]);
});

test("two runs of the same new image at once do its work once and both succeed", async () => {
  const layout = await import("../../fixtures/busybox-image.ts");
  const image = await layout.makeBusyboxImage(join(bench.dir, "fresh"), [
    { path: "etc/fresh", content: `${Date.now()}` },
  ]);
  const runs = await Promise.all(
    [1, 2].map((n) => runCli(["run", image.reference, "echo", `${n}`], { env })),
  );
  expect(runs.map((run) => [run.code, run.stdout])).toEqual([
    [0, "1\n"],
    [0, "2\n"],
  ]);
});

test("bad input is one sentence with its place, a caret and a hint, and no stack trace", async () => {
  const spec = join(bench.dir, "broken.yaml");
  await writeFile(spec, "name: x\nresources:\n  memroyMiB: 512\n");
  const run = await runCli(["dispatch", "--file", spec], { env });
  expect(run.code).toBe(1);
  expect(run.stdout).toBe("");
  expect(run.stderr).toContain("broken.yaml:3:3");
  expect(run.stderr).toContain("memoryMiB");
  expect(run.stderr).toContain("^");
  expect(run.stderr).not.toMatch(/\n\s+at /);
  const json = await runCli(["--json", "dispatch", "--file", spec], { env });
  expect(JSON.parse(json.stderr)).toMatchObject({ ok: false, error: { code: "spec_invalid" } });
});

test("a wrong flag is a usage error with exit code 2, a missing QEMU names its package", async () => {
  const usage = await runCli(["run", "--no-such-flag"], { env });
  expect(usage.code).toBe(2);
  expect(usage.stderr).toContain("--no-such-flag");
  const none = await runCli(["run", bench.image, "true"], {
    env: { ...env, MICROAGENT_QEMU: "/nowhere/qemu" },
  });
  expect(none.code).toBe(1);
  expect(none.stderr).toContain("MICROAGENT_QEMU");
});

test("--dry-run prints the plan and starts nothing", async () => {
  const run = await runCli(["dispatch", "--dry-run", "--image", bench.image, "--exec", "true"], {
    env,
  });
  expect(run.code).toBe(0);
  expect(JSON.parse(run.stdout)).toMatchObject({ image: bench.image });
  expect(await survivors(bench.stateDir)).toEqual([]);
});

test("a closed standard output does not stop the run from being recorded", async () => {
  const outputDir = join(bench.dir, "closed-pipe");
  const run = startCli(
    [
      ...["run", "--image", bench.image, "--output-dir", outputDir, "--output", "note=/note"],
      ...["--exec", "echo up; sleep 1; echo more; echo kept > /note"],
    ],
    { env },
  );
  run.child.stdout?.destroy();
  expect(await run.code).toBe(0);
  expect(await readFile(join(outputDir, "note", "note"), "utf8")).toBe("kept\n");
});
