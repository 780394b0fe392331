import { appendFile } from "node:fs/promises";
import { expect, test } from "microagent-ci/vitest/test";

test("bail: is at work meanwhile", async ({ vm, signal, onTestFinished }) => {
  signal.addEventListener("abort", () => void appendFile("notes.txt", "aborted\n"));
  onTestFinished(() => appendFile("notes.txt", "finished\n"));
  const working = vm.exec(["sleep", "50"], { timeout: 55_000 });
  await appendFile("at-work", "");
  await working;
});

test("shared worker: second file", async ({ vm, sharedVm }) => {
  expect(await sharedVm.exec`cat /mine`).toExitWith(1);
  expect(await vm.exec`true`).toSucceed();
});
