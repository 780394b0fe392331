import { expect, test } from "microagent-ci/vitest/test";

test("a command fails", async ({ vm }) => {
  await vm.shell("mkdir -p /var/log; echo from-the-log > /var/log/app.log");
  await vm.exec`echo out-of-seven; exit 7`;
  expect(await vm.exec`echo broken-here >&2; exit 9`).toSucceed();
});

test("the machine dies", async ({ vm }) => {
  const many =
    'BEGIN { for (i = 0; i < 3000; i++) print i " of many lines that hide what was said first" }';
  await vm.exec`echo first-words > /dev/console; awk ${many} > /dev/console`;
  await vm.exec`echo last-words > /dev/console`;
  const waiting = vm.waitFor.port(80);
  waiting.catch(() => {});
  process.kill(vm.workspace.pid ?? 0, "SIGKILL");
  await waiting;
});

test("time runs out while it waits", { timeout: 2_500 }, async ({ vm }) => {
  await vm.waitFor.port(4711, { timeout: 60_000 });
});

test("no room is left", async ({ boot }) => {
  await boot();
  await boot();
  await boot();
});

let late: Promise<unknown> = Promise.resolve();
test("the set-up outlasts the test", { timeout: 20 }, async ({ vm }) => {
  late = vm.exec`true`;
  await late;
});

test("cleaning up throws", async ({ vm, onTestFinished }) => {
  onTestFinished(() => {
    throw new TypeError("thrown on purpose");
  });
  await vm.exec`true`;
});
