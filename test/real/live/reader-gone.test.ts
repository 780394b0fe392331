import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli, startCli } from "../../fixtures/cli.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;

beforeAll(async () => {
  bench = await openWorkbench();
  const machine = ["--image", bench.image, "--memory", "128", "--size-mib", "64"];
  const made = await runCli(
    ["create", "box", ...machine, "--network", "isolated", "--start"],
    given(),
  );
  expect(made).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await runCli(["rm", "box", "--force"], given());
  await bench[Symbol.asyncDispose]();
});

function given() {
  return { env: { MICROAGENT_STATE_DIR: bench.stateDir } };
}

test.each([
  { name: "exec", words: ["exec", "box", "--", "yes"] },
  {
    name: "exec of what ignores the signal",
    words: ["exec", "box", "--", "sh", "-c", "trap '' PIPE; while :; do echo still here; done"],
  },
  { name: "stats --follow", words: ["stats", "box", "--follow"] },
])("$name ends when nobody reads it any more", async ({ words }) => {
  const run = startCli(words, given());
  run.child.stdout?.once("data", () => run.child.stdout?.destroy());
  expect({ code: await run.code, stderr: run.stderr() }).toEqual({ code: 141, stderr: "" });
});
