import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBusyboxImage } from "../../fixtures/busybox-image.ts";
import { runCli, startCli } from "../../fixtures/cli.ts";
import { openWorkbench, survivors, type Workbench } from "../../fixtures/workbench.ts";

/** Nearly as many entries as one run may bring out. */
const linkCount = 99_900;

let bench: Workbench;
let env: Record<string, string>;
/** An image with a directory of links below long names: making them in a guest takes longer than the test. */
let bomb: string;
beforeAll(async () => {
  bench = await openWorkbench();
  env = { MICROAGENT_STATE_DIR: bench.stateDir };
  const links = Array.from({ length: linkCount }, (_, at) => ({
    path: `bomb/${"n".repeat(80)}${at}`,
    type: "symlink" as const,
    target: "/etc/passwd",
  }));
  const image = await makeBusyboxImage(join(bench.dir, "bomb"), [
    { path: "bomb", type: "dir" },
    ...links,
  ]);
  bomb = image.reference;
  await runCli(["image", "pull", bomb], { env });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

async function recordIn(outputDir: string, name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(outputDir, name), "utf8"));
}

test("a hundred thousand links declared three times are counted, and the record is whole and small", async () => {
  const outputDir = join(bench.dir, "out-bomb");
  const outputs = ["a", "b", "c"].flatMap((name) => ["--output", `${name}=/bomb`]);
  const flags = ["--output-dir", outputDir, ...outputs];
  const started = performance.now();
  const run = await runCli(["run", "--image", bomb, ...flags, "--exec", "true"], { env });
  console.info(`The bomb took ${Math.round(performance.now() - started)} ms`);
  expect(run.code).toBe(0);
  expect(run.stderr.split("\n").filter((line) => line.includes("Links are not")).length).toBe(20);
  const written = await recordIn(outputDir, "result.json");
  expect((written.artifacts_omitted as unknown[]).length).toBe(1_000);
  expect(written.artifacts_omitted_count).toBeGreaterThan(99_900);
  const incomplete = written.artifacts_incomplete as { error: { code: string } }[];
  expect(incomplete.map(({ error }) => error.code)).toEqual(Array(2).fill("output_refused"));
  expect(await recordIn(outputDir, "manifest.json")).toMatchObject({
    omitted_count: written.artifacts_omitted_count,
  });
  const report = await runCli(["report", outputDir], { env });
  expect(report.code).toBe(0);
});

test("a hole of 9 GiB arrives as one", async () => {
  const outputDir = join(bench.dir, "out-hole");
  const flags = ["--output-dir", outputDir, "--output", "disk=/tmp/disk.img"];
  const exec =
    "truncate -s 9G /tmp/disk.img; printf end | dd of=/tmp/disk.img bs=1 seek=5G conv=notrunc";
  const run = await runCli(["run", "--image", bench.image, ...flags, "--exec", exec], { env });
  expect(run.code).toBe(0);
  const { size, blocks } = await stat(join(outputDir, "disk", "disk.img"));
  expect(size).toBe(9 * 1024 ** 3);
  expect(blocks * 512).toBeLessThan(1024 ** 2);
  expect(await recordIn(outputDir, "manifest.json")).toMatchObject({
    artifacts: [{ size, sha256: null }],
  });
});

test.each([
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)(
  "%s while outputs are collected ends the run in time with %i and a record",
  async (signal, code) => {
    const outputDir = join(bench.dir, `out-${signal}`);
    const outputs = ["--output", "note=/note", "--output", "large=/large"];
    const flags = ["--size-mib", "2048", "--output-dir", outputDir, ...outputs];
    const exec =
      "echo kept > /note; dd if=/dev/zero of=/large bs=1M count=400 2>/dev/null; echo up";
    const run = startCli(["run", "--image", bench.image, ...flags, "--exec", exec], { env });
    while (!run.stdout().includes("up")) await sleep(5);
    await sleep(150);
    const signalledAt = performance.now();
    run.child.kill(signal);
    expect(await run.code).toBe(code);
    expect(performance.now() - signalledAt).toBeLessThan(5_000);
    const written = await recordIn(outputDir, "result.json");
    expect(written.termination).toEqual({ kind: "interrupted", signal });
    expect(await survivors(bench.stateDir)).toEqual([]);
  },
);
