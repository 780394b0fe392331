import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

/** Runs a hostile workload that leaves a note first; the host must still get the note. */
async function survive(name: string, workload: string, flags: Record<string, unknown> = {}) {
  const outputDir = join(bench.dir, name);
  const result = await bench.run({
    memory: 256,
    sizeMib: 64,
    cpus: 1,
    outputDir,
    timeoutSeconds: 20,
    exec: `echo before > /note; ${workload}`,
    output: ["note=/note"],
    ...flags,
  });
  expect(await readFile(join(outputDir, "note", "note"), "utf8")).toBe("before\n");
  return result;
}

test("a fork bomb ends with the timeout and the agent still answers", async () => {
  const result = await survive("forks", "f() { f | f & }; f; while :; do sleep 1; done");
  expect(result.termination.kind).toBe("timed_out");
});

test("a workload that fills the memory is killed and named as such", async () => {
  const result = await survive("memory", "exec tail /dev/zero");
  expect(result.termination).toMatchObject({
    kind: "signaled",
    signal: "SIGKILL",
    oomKilled: true,
  });
});

test("a full disk is the workload's problem alone", async () => {
  const result = await survive("disk", "dd if=/dev/zero of=/fill bs=1M 2>/dev/null; echo full");
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(result.stdout.text()).toBe("full\n");
});

test("a workload that closes its descriptors still has an exit code", async () => {
  const result = await survive("closed", "exec 0<&- 1>&- 2>&-; (exit 7)");
  expect(result.termination).toEqual({ kind: "exited", exitCode: 7 });
});

test("a flood of output is kept to its cap, passed on whole, and counted as truncated", async () => {
  let streamed = 0;
  const outputDir = join(bench.dir, "flood");
  const result = await bench.run(
    { memory: 256, outputDir, exec: "head -c 33554432 /dev/zero" },
    {
      onOutput: (_phase, _stream, data) => {
        streamed += data.length;
      },
    },
  );
  expect(streamed).toBe(32 * 1024 * 1024);
  expect(result.stdout.truncated).toBe(true);
  expect(result.stdout.text()).toHaveLength(10 * 1024 * 1024);
});

test("a child that keeps the pipes open does not keep the run open", async () => {
  const result = await survive("held", "sleep 1000 & echo done; exit 4");
  expect(result.termination).toEqual({ kind: "exited", exitCode: 4 });
  expect(result.stdout.text()).toBe("done\n");
});

test("killing everything it can see does not kill the agent", async () => {
  const result = await survive("kill-all", "sleep 99 & kill -9 -1; wait; echo alive");
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(result.stdout.text()).toBe("alive\n");
});
