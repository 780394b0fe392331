import { expect, test } from "microagent-ci/vitest/test";

test("has a kernel of its own", async ({ vm }) => {
  const result = await vm.exec`uname -s`;
  expect(result).toSucceed();
  expect(result.stdout).toBe("Linux\n");
});

test("may be broken: the next test gets another one", async ({ vm }) => {
  await vm.rm("/usr/bin/ls");
  expect((await vm.exec`ls /`).exitCode).toBe(127);
});

test("and here it is", async ({ vm }) => {
  expect(await vm.exec`ls /usr/bin/ls`).toSucceed();
});
