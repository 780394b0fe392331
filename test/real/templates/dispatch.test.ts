import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "../../fixtures/cli.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;
let env: Record<string, string>;
beforeAll(async () => {
  bench = await openWorkbench();
  env = { MICROAGENT_STATE_DIR: bench.stateDir };
  await writeFile(
    join(bench.dir, "agent.yaml"),
    [
      "name: templated",
      `image: ${bench.image}`,
      "resources: { memoryMiB: 256, cpuCount: 1 }",
      "setup:",
      "  - date +%s%N > /when",
      "agent:",
      "  entry: cat /when; hostname; cat /proc/sys/kernel/random/uuid",
      "",
    ].join("\n"),
  );
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

interface Outcome {
  readonly template: { readonly how: string; readonly key: string | null; readonly reason: string };
  readonly lines: readonly string[];
}

async function dispatchOnce(...flags: string[]): Promise<Outcome> {
  const file = join(bench.dir, "agent.yaml");
  const run = await runCli(["--json", "dispatch", "--file", file, ...flags], { env });
  expect(run.code, run.stderr).toBe(0);
  const result = JSON.parse(run.stdout);
  return { template: result.template, lines: result.result.stdout.trim().split("\n") };
}

describe("dispatch of an unchanged file", () => {
  test("starts after setup the second time, as another machine", async () => {
    const first = await dispatchOnce();
    const second = await dispatchOnce();
    expect([first.template.how, second.template.how]).toEqual(["built", "hit"]);
    expect(second.template.key).toBe(first.template.key);
    // Setup ran once; everything that is a machine's own is another.
    expect(second.lines[0]).toBe(first.lines[0]);
    expect(second.lines[2]).not.toBe(first.lines[2]);
    const off = await dispatchOnce("--no-template");
    expect(off.template.how).toBe("skipped");
    expect(off.lines[0]).not.toBe(first.lines[0]);
  });

  test("and the templates it leaves can be listed, built, removed and pruned", async () => {
    const cli = async (...words: string[]) =>
      JSON.parse((await runCli(["--json", "template", ...words], { env })).stdout);
    const file = join(bench.dir, "agent.yaml");
    const built = await cli("build", "--file", file);
    const { templates } = await cli("list");
    expect(templates.map((each: { key: string }) => each.key)).toEqual([built.key]);
    expect(await cli("rm", built.key.slice(0, 10))).toEqual({ removed: [built.key] });
    expect((await cli("build", "--file", file)).built).toBe(true);
    expect((await cli("prune", "--all")).removed).toEqual([built.key]);
    expect(await cli("list")).toEqual({ templates: [] });
  });
});
