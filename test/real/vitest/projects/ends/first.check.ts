import { access } from "node:fs/promises";
import { test as base, expect, test } from "microagent-ci/vitest/test";

test("bail: fails while the other file is at work", async ({ vm }) => {
  await expect
    .poll(
      () =>
        access("at-work").then(
          () => true,
          () => false,
        ),
      { timeout: 30_000 },
    )
    .toBe(true);
  expect(await vm.exec`exit 1`).toSucceed();
});
test("bail: comes after a failure", async ({ vm }) => {
  console.log("NOT REACHED");
  await vm.exec`true`;
});

test("cleanup: one that hangs", async ({ vm, onTestFinished }) => {
  onTestFinished(() => new Promise(() => {}), 1_000);
  expect(await vm.exec`true`).toSucceed();
});
const messy = base.extend("mess", async ({ vm }, { onCleanup }) => {
  onCleanup(() => {
    throw new TypeError("thrown by a fixture");
  });
  return vm;
});
messy("cleanup: a fixture's own throws", async ({ mess }) => {
  expect(await mess.exec`true`).toSucceed();
});
test("cleanup: the next test has a machine", async ({ vm }) => {
  expect(await vm.exec`true`).toSucceed();
});

let attempt = 0;
test("retry: after an attempt that ran out of time", { timeout: 6_000, retry: 1 }, async ({
  vm,
}) => {
  attempt++;
  expect(await vm.exec`cat /tried`).toExitWith(1);
  await vm.writeFile("/tried", "");
  if (attempt === 1) await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
  expect(await vm.exec`ls /tried`).toSucceed();
});

test("shared worker: first file", async ({ vm, sharedVm }) => {
  await sharedVm.writeFile("/mine", "first");
  expect(await vm.exec`cat /mine`).toExitWith(1);
});
