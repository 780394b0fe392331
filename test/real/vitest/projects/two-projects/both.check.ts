import { expect, test } from "microagent-ci/vitest/test";
import { inject } from "vitest";

test("has the memory of its project", async ({ vm }) => {
  expect(vm.memoryMib).toBe(inject("microvm").templates.box?.boot.memoryMib);
  const kib = Number((await vm.exec`grep MemTotal /proc/meminfo | tr -dc 0-9`).stdout);
  console.log(`MEMORY ${vm.memoryMib} ${kib > 230 * 1024 ? "large" : "small"}`);
});
