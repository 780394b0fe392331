import { execFile as start } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type ActionBench,
  type ActionJob,
  openActionBench,
} from "../../fixtures/actions/action-bench.ts";
import type { StepRun } from "../../fixtures/actions/runner.ts";

const execFile = promisify(start);

let bench: ActionBench;
beforeAll(async () => {
  bench = await openActionBench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

/** A later step with `shell: microagent exec {0}`, started as the runner starts it. */
async function laterStep(job: ActionJob, run: StepRun, text: string) {
  const env = { ...run.env, PATH: `${run.paths[0]}:/usr/bin:/bin`, HOME: job.dirs.home };
  const script = join(job.dirs.temp, "step.sh");
  await writeFile(script, text);
  return await execFile("microagent", ["exec", script], { env }).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string }) => ({ code: error.code, stdout: error.stdout }),
  );
}

test("a kept machine is reached by later steps, its outputs are out already, and it is gone when the job ends", async () => {
  await using job = await bench.openJob();
  await writeFile(join(job.dirs.workspace, "a.txt"), "from the checkout\n");
  const run = await job.step({
    image: bench.image,
    workspace: "copy",
    "workspace-back": "patch",
    keep: "true",
    artifacts: "out=/out",
    run: "echo kept > /state; cat a.txt; echo more >> a.txt; mkdir /out; echo 42 > /out/x; nslookup -type=a denied.example",
    "fail-on": "missing-artifact",
  });
  expect(run.exitCode, run.raw).toBe(0);
  expect(run.lines).toContain("from the checkout");
  expect(run.outputs).toMatchObject({ conclusion: "failure", "exit-code": "1" });
  expect(run.outputs["image-digest"]).toMatch(/^sha256:/);
  expect(run.outputs.accel).toMatch(/^(kvm|tcg)$/);
  expect(JSON.parse(run.outputs["denied-hosts"] ?? "")).toEqual(["denied.example"]);
  expect(await readFile(run.outputs["patch-file"] ?? "", "utf8")).toContain("+more");
  expect(JSON.parse(run.outputs.artifacts ?? "")).toMatchObject([{ path: "out/x", size: 3 }]);
  const files = job.uploaded();
  expect(files.get("out/x")?.toString()).toBe("42\n");
  expect([...files.keys()]).toEqual(expect.arrayContaining(["result.json", "report.html"]));

  expect(await laterStep(job, run, "cat /state\nexit 7\n")).toEqual({ code: 7, stdout: "kept\n" });
  const post = await run.post();
  expect(post?.exitCode).toBe(0);
  expect(post?.raw).toContain("is gone");
  expect(job.service.artifacts.size).toBe(1);
  expect((await laterStep(job, run, "cat /state\n")).code).toBe(1);
});

test("a machine that is kept for later steps alone runs nothing of its own", async () => {
  await using job = await bench.openJob();
  const run = await job.step({ image: bench.image, keep: "true" });
  expect(run.exitCode, run.raw).toBe(0);
  expect(run.outputs).toMatchObject({ conclusion: "success", "exit-code": "0" });
  expect(await laterStep(job, run, "echo here\n")).toEqual({ code: 0, stdout: "here\n" });
  expect((await run.post())?.raw).toContain("is gone");
});
