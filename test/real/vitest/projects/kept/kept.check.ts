import { expect, test } from "microagent-ci/vitest/test";

test("fails in the middle of something", async ({ vm }) => {
  await vm.shell("echo on-disk > /note; sync; mkdir /run/own; echo in-memory > /run/own/note");
  await vm.spawn(["sh", "-c", "while :; do date +%s%N > /run/own/beat; sleep 0.05; done"]);
  await vm.waitFor.file("/run/own/beat");
  expect(await vm.exec`cat /none`).toSucceed();
});

test("goes on in what was kept", async ({ boot }) => {
  const vm = await boot({ snapshot: process.env.PLUGIN_TEST_KEPT });
  expect(await vm.readFile("/run/own/note", "utf8")).toBe("in-memory\n");
});
