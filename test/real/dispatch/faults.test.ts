import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { machinesOf, openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

/** Resolves with the first output of the command, so that a fault can strike while it runs. */
function whenRunning() {
  let running = () => {};
  const started = new Promise<void>((resolve) => {
    running = resolve;
  });
  return { started, onOutput: () => running() };
}

test("SIGKILL of the VMM in the middle of a command is noticed at once and named", async () => {
  const { started, onOutput } = whenRunning();
  const run = bench.run({ exec: "echo up; sleep 600" }, { onOutput });
  await started;
  const [vmm] = await machinesOf(bench.stateDir);
  const killedAt = performance.now();
  process.kill(vmm ?? 0, "SIGKILL");
  const result = await run;
  expect(result.termination).toMatchObject({ kind: "failed", error: { code: "machine_killed" } });
  expect(performance.now() - killedAt).toBeLessThan(5_000);
});

test("a guest that powers off in the middle of a command is a recorded outcome", async () => {
  const result = await bench.run({ exec: "echo bye; sync; reboot -f; sleep 60" });
  expect(result.termination).toMatchObject({
    kind: "failed",
    error: { code: "guest_powered_off" },
  });
  expect(result.stdout.text()).toBe("bye\n");
});

test("a kernel panic is told with the console's tail", async () => {
  const result = await bench.run({
    exec: "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger; sleep 60",
  });
  expect(result.termination).toMatchObject({ kind: "failed", error: { code: "guest_crashed" } });
  if (result.termination.kind !== "failed") throw new Error("unreachable");
  expect(result.termination.error.hint).toContain("Kernel panic");
});

test("a guest that never answers is given up after one more try, and both are told", async () => {
  // An init that does nothing: the kernel of this machine boots, and nobody opens the port.
  const result = await bench.run({ exec: "true", bootTimeoutSeconds: 1, kernel: "distribution" });
  expect(result.termination).toMatchObject({ kind: "failed", error: { code: "boot_timeout" } });
  if (result.termination.kind !== "failed") throw new Error("unreachable");
  expect(result.termination.error.details).toMatchObject({ attempts: 2 });
});

test("an unknown image, kernel and profile each end in one clear error", async () => {
  const image = await bench.run({ image: "oci:/nowhere:latest", exec: "true" });
  expect(image.termination).toMatchObject({ kind: "failed", error: { code: "image_not_found" } });
  const kernel = await bench.run({ kernel: "no-such-kernel", exec: "true" });
  expect(kernel.termination).toMatchObject({ kind: "failed", error: { code: "kernel_not_found" } });
  expect(() => bench.plan({ profile: "huge" })).toThrow(/"huge"/);
});

test("using what is not built yet is refused by name before anything starts", async () => {
  await expect(bench.run({ exec: "true", disk: ["d=./d.ext4:/d:ro"] })).rejects.toMatchObject({
    code: "not_supported_yet",
    message: expect.stringContaining("--disk"),
  });
});

test("an output directory that cannot be is refused before anything starts", async () => {
  const run = bench.run({ exec: "true", output: ["a=/a"], outputDir: join("/dev/full", "out") });
  await expect(run).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringContaining("--output-dir"),
  });
});
