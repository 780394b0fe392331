import { appendFileSync } from "node:fs";
import { test } from "microagent-ci/vitest/test";

test("takes its time", async ({ vm, signal, onTestFinished }) => {
  const note = (text: string) => appendFileSync("notes.txt", `${text}\n`);
  signal.addEventListener("abort", () => note("aborted"));
  onTestFinished(() => note("finished"));
  await vm.snapshot();
  note(`vmm ${vm.workspace.pid} worker ${process.pid}`);
  await vm.exec(["sleep", "50"], { timeout: 55_000 });
});
