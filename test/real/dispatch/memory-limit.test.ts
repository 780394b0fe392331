import { execFile } from "node:child_process";
import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { cliPath, runCli } from "../../fixtures/cli.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";
import { openMemoryGroup } from "../../support/memory-group.ts";

const limitMib = 400;
let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
  const env = { MICROAGENT_STATE_DIR: bench.stateDir };
  await runCli(["image", "pull", bench.image], { env });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

/** The command line in a control group of its own. */
async function limited(context: TestContext, words: readonly string[]) {
  await using group = await openMemoryGroup(context, limitMib);
  const [program = "", ...rest] = [...group.wrapper, process.execPath, cliPath, ...words];
  const env = { ...process.env, MICROAGENT_STATE_DIR: bench.stateDir };
  return await new Promise<{ name: string; code: number; stdout: string; stderr: string }>(
    (resolve) => {
      const child = execFile(program, rest, { env }, (_error, stdout, stderr) => {
        resolve({ name: group.name, code: child.exitCode ?? -1, stdout, stderr });
      });
    },
  );
}

test("doctor tells the limit of a control group beside what the host has", async (context) => {
  const { name, stdout } = await limited(context, ["--json", "doctor"]);
  const { checks } = JSON.parse(stdout) as { checks: { id: string; found: string }[] };
  expect(checks.find(({ id }) => id === "memory")?.found).toContain(
    `${limitMib} MiB of memory (limit of control group "${name}"; the host has `,
  );
});

test("a machine larger than the limit is refused before anything starts", async (context) => {
  const words = ["--json", "run", "--image", bench.image, "--memory", "512", "--", "true"];
  const { name, code, stderr } = await limited(context, words);
  expect(code).toBe(1);
  expect(stderr).toContain(
    `than the limit of control group \\"${name}\\": wanted at most ${limitMib}`,
  );
});

test("a VMM that the kernel kills for memory is told with the limit", async (context) => {
  const fill = "mkdir -p /fill; mount -t tmpfs -o size=100% none /fill; cat /dev/zero > /fill/x";
  const { name, stdout, stderr } = await limited(context, [
    ...["--json", "dispatch", "--image", bench.image, "--memory", `${limitMib}`, "--cpus", "1"],
    ...["--exec", fill],
  ]);
  const result = JSON.parse(stdout);
  expect(result.error, stderr).toMatchObject({
    code: "machine_killed",
  });
  expect(result.error.message).toContain(
    `The kernel killed the VMM process: the memory limit of control group "${name}" (${limitMib} MiB) was reached`,
  );
  expect(result.error.hint).toContain("raise the limit");
});
